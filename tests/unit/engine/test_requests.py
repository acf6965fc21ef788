"""Requests of a run, as its journal tells them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import holdfast.engine
from holdfast.adaptors.node import node_binary
from holdfast.engine.requests import NEVER, UNKNOWN, Request, requests_of
from holdfast.journal import Record
from holdfast.model.json import Json
from holdfast.model.record import Kind


def record(sequence: int, kind: Kind, **body: Json) -> Record:
    return Record(sequence, sequence, kind, json.dumps(body).encode(), 0, 0)


def sent(place: int, number: int) -> Record:
    return record(
        place, Kind.REQUEST, what="sent", number=number, step_id="s", operation=2, method="POST",
        host="a.org", path="/p", bytes=9,
    )  # fmt: skip


def test_a_request_without_an_end_is_under_way() -> None:
    found = requests_of(
        [
            record(1, Kind.STEP_START, step_id="s", job_id="send"),
            sent(2, 1),
            sent(3, 2),
            sent(4, 3),
            record(5, Kind.REQUEST, what="answered", number=1, status=201, ms=12),
            record(6, Kind.REQUEST, what="failed", number=2, error="ECONNRESET", ms=3),
        ]
    )
    assert {fate: n for fate, n in found.counts().items() if n} == {
        "answered": 1,
        "failed": 1,
        "under way: fate unknown": 1,
    }
    rows = [request.row for request in found.known.values()]
    assert "send op 2" in rows[0]
    assert rows[0].endswith("POST   a.org/p  answered 201 12 ms")
    assert rows[1].endswith("failed ECONNRESET 3 ms")
    assert rows[2].endswith("under way: fate unknown")


def test_an_end_without_a_beginning_is_passed_over() -> None:
    found = requests_of([record(1, Kind.REQUEST, what="answered", number=7, status=200)])
    assert found.known == {}


def made(place: int, number: int) -> Record:
    return record(
        place, Kind.REQUEST, what="made", number=number, step_id="s", method="GET", host="a.org",
        path="/p",
    )  # fmt: skip


def test_a_request_that_was_only_made_never_left() -> None:
    found = requests_of(
        [
            made(1, 1),
            made(2, 2),
            record(3, Kind.REQUEST, what="sent", number=2, address="10.0.0.1:443"),
        ]
    )
    assert [request.fate for request in found.known.values()] == [NEVER, UNKNOWN]


def test_a_request_that_broke_after_it_was_sent_may_have_been_carried_out() -> None:
    found = requests_of(
        [
            made(1, 1),
            record(2, Kind.REQUEST, what="sent", number=1, address="10.0.0.1:443"),
            record(3, Kind.REQUEST, what="failed", number=1, error="ECONNRESET", ms=3),
        ]
    )
    assert "may have been carried out" in found.known[1].row


def test_connections_without_a_told_request_are_named() -> None:
    notes: Json = {"connections": {"10.0.0.1:443": 2, "10.0.0.9:22": 1}}
    found = requests_of(
        [
            made(1, 1),
            record(2, Kind.REQUEST, what="sent", number=1, address="10.0.0.1:443"),
            record(3, Kind.OUTCOME, evidence={"notes": notes}),
        ]
    )
    assert found.untold == {"10.0.0.9:22": 1}


def test_nothing_is_said_of_connections_where_nobody_looked() -> None:
    assert requests_of([record(1, Kind.OUTCOME, evidence={"notes": {}})]).connections is None


def test_where_the_recorder_died_nothing_never_left() -> None:
    """The record that it left may be the one that is lost."""
    found = requests_of([made(1, 1), record(2, Kind.OUTCOME, evidence={"loss": "shim"})])
    assert [request.fate for request in found.known.values()] == [UNKNOWN]
    assert found.cut
    assert not requests_of([made(1, 1)]).cut


def test_an_answer_that_broke_off_is_told_as_such() -> None:
    found = requests_of(
        [
            made(1, 1),
            record(2, Kind.REQUEST, what="failed", number=1, status=200, error="CUT", ms=3),
        ]
    )
    assert found.known[1].row.endswith("failed 200, but the answer broke off (CUT) 3 ms")


def test_an_answer_that_nobody_read_has_a_status() -> None:
    found = requests_of(
        [sent(1, 1), record(2, Kind.REQUEST, what="begun", number=1, status=202), sent(3, 2)]
    )
    first, second = found.known.values()
    assert first.row.endswith("answered 202, its body was not read to its end")
    assert Request.from_json(first.to_json()).row == first.row
    assert second.fate == UNKNOWN


def test_the_end_of_an_answer_says_more_than_its_beginning() -> None:
    begun = [sent(1, 1), record(2, Kind.REQUEST, what="begun", number=1, status=200)]
    whole = record(3, Kind.REQUEST, what="answered", number=1, status=200, ms=4)
    assert requests_of([*begun, whole]).known[1].row.endswith("answered 200 4 ms")
    broken = record(3, Kind.REQUEST, what="failed", number=1, status=200, error="CUT", ms=3)
    assert "broke off" in requests_of([*begun, broken]).known[1].row


def test_a_request_that_failed_before_it_left_is_told() -> None:
    failed = record(
        1, Kind.REQUEST, what="failed", number=1, method="GET", host="a.org", path="/p",
        error="ENOTFOUND", ms=3,
    )  # fmt: skip
    assert requests_of([failed]).known[1].row.endswith("GET    a.org/p  failed ENOTFOUND 3 ms")


def more(place: int, *, whole: Json, answered: int) -> Record:
    host: Json = {
        "host": "a.org", "made": 12, "sent": 10, "answered": [0, answered, 0, 0, 0], "failed": 1,
        "addresses": ["10.0.0.9:22"],
    }  # fmt: skip
    return record(place, Kind.REQUEST, what="more", number=1012, hosts=[host], whole=whole)


def test_requests_that_are_only_counted_are_among_the_counts() -> None:
    found = requests_of(
        [sent(1, 1), more(2, whole=None, answered=3), more(3, whole=True, answered=9)]
    )
    assert [*found.counts().values()] == [9, 1, 1, 2]
    assert found.beyond.whole
    lost = record(4, Kind.OUTCOME, evidence={"loss": "shim"})
    cut = requests_of([sent(1, 1), more(2, whole=True, answered=9), lost])
    assert [*cut.counts().values()] == [9, 1, 3, 0], "nothing never left"


def test_connections_of_counted_requests_are_told() -> None:
    notes: Json = {"connections": {"10.0.0.9:22": 1}}
    found = requests_of(
        [more(1, whole=True, answered=9), record(2, Kind.OUTCOME, evidence={"notes": notes})]
    )
    assert found.untold == {}


#: Two requests as undici tells of them, each within one turn of the event loop or over several.
LISTENING = """
const [folder] = process.argv.slice(1);
const { release } = await import(`${folder}/channel.mjs`);
const { Requests } = await import(`${folder}/requests.mjs`);
const { default: channels } = await import('node:diagnostics_channel');
const told = [];
const tell = ({ number, what }) => { (told[number - 1] ??= []).push(what); };
const run = {
  settings: {}, secrets: { scrub: (text) => text }, active: { getStore() {} },
  report: { request: tell, requestSoon: tell },
};
new Requests(run).watch();
for (const between of [() => {}, release]) {
  const request = { method: 'GET', origin: 'http://a.org', path: '/' };
  const say = (name, more) => channels.channel(`undici:${name}`).publish({ request, ...more });
  say('request:create');
  between();
  say('client:sendHeaders');
  say('request:headers', { response: { statusCode: 200 } });
  between();
  say('request:trailers');
  release();
}
process.stdout.write(JSON.stringify(told));
"""


def test_what_is_over_before_the_next_is_told_takes_no_record() -> None:
    """So a request on a connection that is free takes two."""
    folder = Path(holdfast.engine.__file__).parent / "javascript"
    done = subprocess.run(
        [node_binary(), "--input-type=module", "--eval", LISTENING, folder.as_uri()],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        ["sent", "answered"], ["made", "sent", "begun", "answered"],
    ]  # fmt: skip

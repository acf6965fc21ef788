"""What the journal tells of a run's requests: unread answers, and those that are only counted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from holdfast.engine.requests import ANSWERED, Requests, requests_of
from holdfast.journal import JournalReader
from holdfast.model.json import JsonObject
from holdfast.model.record import Kind
from support.engine import Ended, Running, execute, job, prepare, run
from support.web import Answer, Asked, Web, serve_web

#: More than a response takes in before somebody reads it.
LONG = b"x" * 500_000


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    def answer(asked: Asked) -> Answer:
        return Answer(
            status=201 if asked.path == "/many" else 202,
            body=LONG if asked.path == "/long" else b"{}",
        )

    with serve_web(answer) as server:
        yield server


def go(running: Running, code: str) -> Ended:
    ended = run(running, f"export default [{code}];", options={"egress": "open"})
    assert ended.outcome.error_type is None, ended.outcome
    return ended


def told(ended: Ended) -> Requests:
    with JournalReader(ended.folder.journal) as reader:
        return requests_of(reader.read())


def test_an_answer_whose_body_nobody_reads_has_its_status(running: Running, web: Web) -> None:
    code = (
        f"async s => {{ const a = await fetch('{web.address}/long'); return {{ n: a.status }}; }}"
    )
    ended = go(running, code)
    (request,) = told(ended).known.values()
    assert (request.fate, request.status, request.unread) == (ANSWERED, 202, True)
    assert "HF1104" not in ended.log, "it was waited for"


def test_requests_on_a_kept_connection_are_told_as_sent_and_as_answered(
    running: Running, web: Web
) -> None:
    asking = f"await (await fetch('{web.address}/x')).text()"
    ended = go(running, f"async s => {{ for (let i = 0; i < 20; i++) {asking}; return s; }}")
    told: dict[object, list[object]] = {}
    for body in ended.bodies(Kind.REQUEST):
        if body["what"] not in ("made", "begun"):  # these are told where the next one comes late
            told.setdefault(body["number"], []).append(body["what"])
    assert [*told.values()] == [["sent", "answered"]] * 20


def test_requests_beyond_the_first_thousand_are_counted(running: Running, web: Web) -> None:
    one = f"fetch('{web.address}/many').then(answer => answer.text())"
    twenty = f"Promise.all(Array.from({{ length: 20 }}, () => {one}))"
    many = f"for (let i = 0; i < 53; i++) await {twenty}"
    ended = go(running, f"async s => {{ {many}; return s; }}")
    found = told(ended)
    assert len(found.known) == 1000
    assert found.counts()[ANSWERED] == 1060
    assert found.untold == {}
    (row,) = found.beyond.rows
    assert row == f"{web.address.removeprefix('http://')}: 60 more were sent: 60 answered 2xx"
    records = [body for body in ended.bodies(Kind.REQUEST) if body["what"] == "more"]
    assert records[-1]["whole"] is True
    first, last = (int(str(records[place]["timestamp"])) / 1e6 for place in (0, -1))
    # One in a quarter of a second, and a belated one beside it: not one for each of 180 changes.
    assert len(records) <= 3 + 8 * (last - first)


def test_processes_of_steps_number_and_count_requests_of_one_run(
    running: Running, web: Web
) -> None:
    one = f"(await fetch('{web.address}/many', {{ method: 'POST' }})).text()"
    many = f"async s => {{ for (let i = 0; i < 1001; i++) await {one}; return s; }}"
    send = f"async s => {{ await {one}; return s; }}"
    steps = [
        job(f"export default [{send}, {many}];", next={"b": True}),
        job(f"export default [idempotent('a', {send})];", id="b", name="B"),
    ]
    options: JsonObject = {"egress": "open", "process_per_step": True}
    ended = execute(running, prepare(running, *steps, options=options))
    assert ended.outcome.error_type is None, ended.outcome
    found = told(ended)
    assert [*found.known] == [*range(1, 1001)]
    assert found.counts()[ANSWERED] == 1003
    assert [asked.headers.get("idempotency-key") is None for asked in web.asked[-2:]] == [
        True, False,
    ]  # fmt: skip

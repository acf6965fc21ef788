"""What the journal tells of a run's requests: unread answers, and those that are only counted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from holdfast.engine.requests import ANSWERED, Requests, requests_of
from holdfast.journal import JournalReader
from holdfast.model.record import Kind
from support.engine import Ended, Running, engine, run
from support.web import Answer, Asked, Web, serve_web

#: More than a response takes in before somebody reads it.
LONG = b"x" * 500_000


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with engine(tmp_path_factory.mktemp("data")) as started:
        yield started


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


def test_a_request_on_a_kept_connection_takes_two_records(running: Running, web: Web) -> None:
    asking = f"await (await fetch('{web.address}/x')).text()"
    ended = go(running, f"async s => {{ {asking}; {asking}; return s; }}")
    second = [body["what"] for body in ended.bodies(Kind.REQUEST) if body["number"] == 2]
    assert second == ["sent", "answered"]


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
    assert len(records) < 30

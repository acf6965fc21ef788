"""Requests of a run, as its journal tells them."""

from __future__ import annotations

import json

from holdfast.engine.requests import requests_of
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
    assert found.counts() == {"answered": 1, "failed": 1, "under way: fate unknown": 1}
    rows = [request.row for request in found.known.values()]
    assert "send op 2" in rows[0]
    assert rows[0].endswith("POST   a.org/p  answered 201 12 ms")
    assert rows[1].endswith("failed ECONNRESET 3 ms")
    assert rows[2].endswith("under way: fate unknown")


def test_an_end_without_a_beginning_is_passed_over() -> None:
    found = requests_of([record(1, Kind.REQUEST, what="answered", number=7, status=200)])
    assert found.known == {}

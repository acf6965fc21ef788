"""What a run does is told while it goes, and seldom."""

from __future__ import annotations

import json

from holdfast.journal import Record
from holdfast.model.json import Json
from holdfast.model.record import Kind
from holdfast.worker.outbox.watched import Watched


def record(place: int, kind: Kind, **body: Json) -> Record:
    return Record(place, place, kind, json.dumps(body).encode(), 0, 0)


def begun(watched: Watched, operations: int = 1) -> None:
    watched.take(record(1, Kind.STEP_START, step_id="s", job_id="j"))
    for number in range(1, operations + 1):
        watched.take(record(number + 1, Kind.PHASE, operation=number, call="fn"))


def test_a_run_of_less_than_a_second_is_not_told() -> None:
    watched = Watched()
    begun(watched)
    assert watched.due(10.0) is None
    assert watched.wake_at() == 11.0
    assert watched.due(10.9) is None
    watched.take(record(9, Kind.OUTCOME, reason="success"))
    assert watched.wake_at() is None
    assert watched.due(20.0) is None


def test_it_is_told_each_second_where_something_is_new() -> None:
    watched = Watched()
    begun(watched)
    assert watched.due(10.0) is None
    told = watched.due(11.0)
    assert told is not None
    assert [item["us"] for item in told["operations"]] == [None]  # type: ignore[index,call-overload,union-attr]
    assert watched.wake_at() is None
    assert watched.due(15.0) is None
    watched.take(record(7, Kind.LOG, message="no news"))
    assert watched.due(16.0) is None
    watched.take(record(8, Kind.PHASE, operation=2, call="get"))
    assert watched.due(16.0) is not None
    watched.take(record(9, Kind.PHASE, operation=3, call="get"))
    assert watched.due(16.5) is None
    wake = watched.wake_at()
    assert wake is not None
    assert 17.0 <= wake < 17.1


def test_a_long_list_is_told_less_often() -> None:
    watched = Watched()
    begun(watched, 250)
    watched.due(0.0)
    assert watched.due(1.0) is not None
    watched.take(record(999, Kind.PHASE, operation=251))
    assert watched.due(3.0) is None
    assert watched.due(3.6) is not None

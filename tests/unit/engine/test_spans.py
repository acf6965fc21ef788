"""Operations, requests and samples of a run, as its journal tells them."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from holdfast.engine.spans import FIRST, LAST, Spans, build
from holdfast.journal import Record
from holdfast.model.json import Json
from holdfast.model.record import Kind


def record(place: int, kind: Kind, **body: Json) -> Record:
    return Record(place, place, kind, json.dumps(body).encode(), 0, 0)


def operation(at: int, number: int, **more: Json) -> Record:
    return record(at, Kind.PHASE, phase="step", step="job", operation=number, **more)


def built(*records: Record) -> Any:
    return build(records)


START = record(5, Kind.STEP_START, step_id="s1", job_id="job", timestamp="5")


def test_an_operation_ends_where_the_next_phase_begins() -> None:
    told = built(
        record(1, Kind.PHASE, phase="compile", step="job"),
        START,
        record(6, Kind.PHASE, phase="load", step="job"),
        operation(10, 1, call="get", line=3),
        operation(30, 2),
        record(70, Kind.PHASE, phase="serialise", step="job"),
        record(90, Kind.STEP_COMPLETE, step_id="s1", job_id="job", reason="success"),
        record(91, Kind.STEP_START, step_id="s2", job_id="job", timestamp="91"),
        operation(95, 1),
    )
    spans = [(o["step_id"], o["number"], o["at_us"], o["us"]) for o in told["operations"]]
    assert spans == [("s1", 1, 10, 20), ("s1", 2, 30, 40), ("s2", 1, 95, None)]
    assert (told["operations"][0]["name"], told["operations"][0]["line"]) == ("get", 3)


def test_the_first_and_the_last_are_told_and_the_others_counted() -> None:
    many = FIRST + LAST + 50
    requests = [
        record(n, Kind.REQUEST, timestamp=str(n), what="sent", number=n, step_id="s1",
               method="GET", host="a", path="/")
        for n in range(1, many + 1)
    ]  # fmt: skip
    told = built(START, *(operation(n, n) for n in range(1, many + 1)), *requests)
    for name in ("operations", "requests"):
        numbers = [item["number"] for item in told[name]]
        assert numbers == [*range(1, FIRST + 1), *range(many - LAST + 1, many + 1)]
        assert told[f"{name}_left_out"] == 50
    assert (told["requests"][0]["step_id"], told["requests"][0]["at_us"]) == ("s1", 1)
    assert len(json.dumps(told)) < 100_000


def test_samples_of_a_long_run_are_thinned_evenly() -> None:
    spans = Spans()
    spans.take(record(0, Kind.LAUNCHED, memory_limit_mb=500))
    for n in range(1000):
        spans.take(record(n, Kind.SAMPLE, at=n, memory_mb=n, cpu_ms=2 * n))
    built = spans.build()
    samples: Any = built["samples"]
    assert built["memory_limit_mb"] == 500
    assert len(samples) <= 200
    assert samples[0] == [0, 0, 0]
    gaps = {two[0] - one[0] for one, two in pairwise(samples)}
    assert len(gaps) == 1
    assert samples[-1][0] > 990 - min(gaps)


def test_what_is_no_span_is_not_even_read() -> None:
    spans = Spans()
    spans.take(Record(1, 1, Kind.LOG, b"no JSON", 0, 0))
    spans.take(Record(2, 2, Kind.STEP_COMPLETE, b"no JSON", 0, 0))
    assert spans.build()["operations"] == []

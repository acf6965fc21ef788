"""Operations and requests on the time line, whatever a worker sent."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from holdfast.platform.web.spanbars import Drawn
from holdfast.platform.web.spans import Call, told
from holdfast.platform.web.timeline import Memory, Timeline, timeline

REQUEST = {
    "number": 1, "step_id": "s", "operation": 2, "method": "GET", "host": "a.org", "path": "/p",
    "fate": "answered", "status": 503, "at_us": 12_000, "ms": 1,
}  # fmt: skip


def operations(count: int) -> list[dict[str, Any]]:
    return [
        {"step_id": "s", "number": n, "name": "fn", "line": n, "at_us": 11_000 + n, "us": 1}
        for n in range(1, count + 1)
    ]


def drawn(document: dict[str, Any], **wanted: Any) -> Timeline:
    run = SimpleNamespace(inserted_at=0, claimed_at=9_000, started_at=10_000, finished_at=20_000)
    step = SimpleNamespace(
        id="s", job_id="j", exit_reason="success", started_at=11_000, finished_at=15_000
    )
    shown = Drawn(told(json.dumps(document)), **wanted)
    return timeline(run, [step], {}, 99, Memory(), drawn=shown)


def rows(found: Timeline) -> list[tuple[str, str, str]]:
    kinds = ("operation", "request", "more")
    return [(bar.kind, bar.title, bar.note) for bar in found.bars if bar.kind in kinds]


def test_a_request_stands_below_its_operation() -> None:
    found = drawn({"operations": operations(3), "requests": [{**REQUEST, "at_us": 10_500}]})
    assert rows(found) == [
        ("operation", "1. fn()", "line 1"),
        ("operation", "2. fn()", "line 2"),
        ("request", "GET a.org/p", "503"),
        ("operation", "3. fn()", "line 3"),
    ]
    assert [bar.state for bar in found.bars if bar.kind == "request"] == ["failed"]


def test_many_are_shown_for_the_chosen_step_only_and_the_chosen_one_always() -> None:
    many = {"operations": operations(300)}
    assert rows(drawn(many)) == [("more", "300 operations and requests", "")]
    some = rows(drawn(many, step_id="s", key="operation-150"))
    assert len(some) < 40
    assert ("operation", "150. fn()", "line 150") in some
    assert [title for kind, title, _ in some if kind == "more"] == ["… 129 more", "… 142 more"]
    assert len(rows(drawn(many, whole=True))) == 300


def test_a_span_leads_to_the_operation_that_made_it() -> None:
    found = told(json.dumps({"operations": operations(2), "requests": [REQUEST]}))
    call = found.find("s", "request-1")
    assert isinstance(call, Call)
    operation = found.operation_of(call)
    assert operation is not None
    assert operation.line == 2
    assert found.find("other", "request-1") is None


def test_the_processor_is_a_share_of_one_between_samples() -> None:
    found = drawn({"samples": [[10_000, 5, 0], [15_000, 5, 5], [20_000, 5, 5]]})
    heights = [int(point.split(",")[1]) for point in (found.processor or "").split()]
    assert heights == [3, 3, 60, 60]
    assert found.most == 1.0


@pytest.mark.parametrize("value", [None, [], 7, "x", -1, 1e300, True, {"a": 1}, float("nan")])
def test_what_cannot_be_drawn_is_left_out(value: Any) -> None:
    names = ("step_id", "number", "at_us", "us", "line", "name")
    broken = [{**operations(1)[0], name: value} for name in names]
    requests = [{**REQUEST, name: value} for name in REQUEST]
    document = {"operations": [*broken, value], "requests": [*requests, value],
                "samples": [value, [value] * 3, [1, value, 2]]}  # fmt: skip
    drawn(document, step_id="s")
    drawn({"operations": value, "requests": value, "samples": value})


def test_a_long_preparation_stays_outside_of_the_scale() -> None:
    run = SimpleNamespace(inserted_at=0, claimed_at=1, started_at=90_000, finished_at=99_000)
    step = SimpleNamespace(
        id="s", job_id="j", exit_reason="success", started_at=90_000, finished_at=99_000
    )
    bars = {bar.kind: bar for bar in timeline(run, [step], {}, 99, Memory()).bars}
    assert bars["prepare"].x is None
    assert bars["step"].width == 1000


def test_a_request_has_its_idempotency_key() -> None:
    calls = told(json.dumps({"requests": [{**REQUEST, "key": "order-7"}, REQUEST]})).calls
    assert [call.idempotency_key for call in calls] == ["order-7", None]

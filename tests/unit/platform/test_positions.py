"""Where people have put the parts of a workflow, and where the others go then."""

from __future__ import annotations

import pytest

from holdfast.platform.web.graph import NODE_HEIGHT, NODE_WIDTH, layout
from holdfast.platform.web.positions import completed, from_field, of_workflow, positions_of

PARTS = {
    "triggers": [{"id": "t", "type": "webhook", "enabled": True}],
    "jobs": [{"id": key, "name": key, "adaptor_resolved": "x@1"} for key in "abc"],
    "edges": [
        {"source_trigger_id": "t" if source == "t" else None, "source_job_id": source,
         "target_job_id": target, "condition_type": "always", "condition_expression": None,
         "condition_label": None, "enabled": True}
        for source, target in ("ta", "ab", "ac")
    ],
}  # fmt: skip


def test_positions_come_through_a_document_and_a_form() -> None:
    kept = of_workflow('{"positions": {"a": {"x": 1.4, "y": -20}, "gone": {"x": 0, "y": 0}}}')
    assert kept == {"a": (1, -20), "gone": (0, 0)}
    assert positions_of(kept, {"a", "b"}) == {"a": {"x": 1, "y": -20}}
    assert positions_of({}, {"a"}) is None
    assert of_workflow(None) == {}


@pytest.mark.parametrize(
    "text",
    ["", "no", "[]", "{", "[" * 100_000, '{"a": null}', '{"a": {"x": 1}}', '{"a": [1, 2]}',
     '{"a": {"x": 1e400, "y": 0}}', '{"a": {"x": NaN, "y": 0}}',
     f'{{"a": {{"x": {"9" * 400}, "y": 0}}}}',
     '{"a": {"x": true, "y": 0}}', '{"a": {"x": 1e9, "y": 0}}'],
)  # fmt: skip
def test_what_is_no_place_is_left_out(text: str) -> None:
    assert from_field(text) == {}


def test_a_picture_keeps_what_was_put_and_begins_in_its_corner() -> None:
    kept = {"t": (-50.0, 0.0), "a": (250.0, -100.0)}
    graph = layout(PARTS, kept=kept)
    place = {node.id: (node.x, node.y) for node in graph.nodes}
    assert place["t"][0] == place["a"][1] == 12
    assert (place["a"][0] - place["t"][0], place["t"][1] - place["a"][1]) == (300, 100)
    assert graph.width == max(x for x, _ in place.values()) + NODE_WIDTH + 12
    assert graph.height == max(y for _, y in place.values()) + NODE_HEIGHT + 12
    assert layout(PARTS, kept={"other": (9.0, 9.0)}) == layout(PARTS)


def test_what_nobody_has_put_stands_below_what_leads_to_it_and_over_nothing() -> None:
    kept, before = {"a": (100.0, 0.0), "c": (90.0, 110.0)}, {"b": "a", "d": "a"}
    found = completed("abcde", kept, before, (200, 100))
    assert found["b"] == (290.0, 100.0)
    assert found["d"] == (490.0, 100.0)
    assert found["e"] == (0.0, 210.0)  # nothing leads to it: below all

"""The file of a recorded run: whatever is in it, the place of the fault is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from holdfast.bench.bundle import Bundle, RecordedStep
from holdfast.bench.bundle_file import read_bundle, write_bundle
from holdfast.model.errors import UsageError
from holdfast.model.json import JsonObject

STEP = RecordedStep("a", "success", None, {}, None, "{}")
EXCHANGE: JsonObject = {"method": "GET", "url": "https://example.org/a", "status": 200}


def whole() -> dict[str, Any]:
    plan: dict[str, Any] = {"workflow": {"steps": [{"id": "a", "expression": "fn(s => s)"}]}}
    made = Bundle("r", plan, None, {}, {}, [STEP], [{**EXCHANGE}], ["a note"])
    return dict(made.to_json())


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps(whole()))
    made = read_bundle(path)
    write_bundle(made, path)
    assert read_bundle(path) == made
    assert made.steps == [STEP]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"holdfast_run": 1}', '{"holdfast_run": 99}'])
def test_a_file_that_is_no_bundle_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"odd\.json"):
        read_bundle(path)


@pytest.mark.parametrize(
    ("place", "changed"),
    [
        ("plan", {"plan": {"workflow": []}}),
        ("plan.workflow.steps", {"plan": {"workflow": {"steps": []}}}),
        ("steps[0]", {"steps": [{"id": "a"}]}),
        ("steps[0].tape", {"steps": [{**whole()["steps"][0], "tape": 7}]}),
        ("steps[0].came_from", {"steps": [{**whole()["steps"][0], "came_from": 3}]}),
        ("exchanges[0]", {"exchanges": [7]}),
        ("exchanges[0].url", {"exchanges": [{**EXCHANGE, "url": "http://["}]}),
        ("notes", {"notes": None}),
    ],
)
def test_a_damaged_file_is_refused_with_the_place(
    tmp_path: Path, place: str, changed: dict[str, Any]
) -> None:
    path = tmp_path / "odd.json"
    path.write_text(json.dumps({**whole(), **changed}))
    with pytest.raises(UsageError) as caught:
        read_bundle(path)
    assert f"$.{place}" in caught.value.message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.json"):
        read_bundle(tmp_path / "none.json")

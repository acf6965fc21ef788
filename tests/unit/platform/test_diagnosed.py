"""What a run's page says of its failure."""

from __future__ import annotations

import json

from holdfast.diagnosis.diagnose import diagnose
from holdfast.diagnosis.ending import Ending
from holdfast.platform.web.diagnosed import diagnosed


def test_the_workers_diagnosis_is_shown_with_its_place() -> None:
    end = Ending(
        "fail",
        "RuntimeError",
        "TypeError: Cannot read properties of undefined (reading 'name')",
        "a",
        {"line": 1, "column": 31, "src": "fn(state => state.data.pateint.name)"},
        {
            "code": "fn(state => state.data.pateint.name)",
            "state": {"data": {"patient": {"name": "string"}}},
        },
    )
    made = diagnose(end)
    assert made is not None
    shown = diagnosed(json.dumps({"diagnosis": made.to_json()}), "failed", end.error_type, None)
    assert shown is not None
    assert shown.code == "HF1101"
    assert "Write state.data.patient" in shown.change
    assert shown.place is not None
    assert shown.place.splitlines()[1] == " " * 30 + "^"
    assert shown.turn == "the workflow's author"
    assert shown.example


def test_a_run_that_no_worker_explained_is_explained_by_its_words() -> None:
    lost = diagnosed(None, "lost", "LostAfterClaim", None)
    assert lost is not None
    assert lost.code == "HF1905"
    assert diagnosed(None, "success", None, None) is None


def test_foreign_diagnosis_of_wrong_types_does_not_break_the_page() -> None:
    foreign = {"diagnosis": {"code": "X", "what": 1, "turn": [], "position": {"column": "<b>"}}}
    shown = diagnosed(json.dumps(foreign), "failed", None, None)
    assert shown is not None
    assert (shown.code, shown.what, shown.place) == ("X", "", None)

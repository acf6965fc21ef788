"""What is told of a run's failure never keeps it from its end."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from holdfast import log
from holdfast.diagnosis import diagnose as rules
from holdfast.engine.shim import explainer as shim_explainer
from holdfast.engine.shim.explainer import Explainer, bounded
from holdfast.engine.shim.recorder import Recorder
from holdfast.journal import Journal
from holdfast.model.cut import size_of
from holdfast.model.json import JsonObject
from holdfast.model.outcome import Outcome, Reason
from holdfast.model.record import Kind

FAILED: JsonObject = {
    "step_id": "s", "job_id": "a", "timestamp": "2", "reason": "fail", "error_type": "JobError",
    "error_message": "\x01" * 20_000, "position": {"line": 1, "column": 2, "src": "\x01" * 20_000},
    "facts": {"state": {"\x02" * 900: "string"}},
}  # fmt: skip


@pytest.fixture
def explainer(tmp_path: Path) -> Explainer:
    return Explainer(Recorder(Journal.create(tmp_path / "journal"), tmp_path, 1 << 20))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    events: list[str] = []
    monkeypatch.setattr(log, "_write", lambda _level, event, _context: events.append(event))
    return events


def end_of(explainer: Explainer, told: JsonObject) -> dict[Kind, JsonObject]:
    outcome = Outcome(Reason.FAIL, "JobError", str(told["error_message"]))
    explainer._step_ended(told)
    return {kind: cast("JsonObject", body) for kind, body in explainer.last_words(outcome, [])}


def test_a_rule_that_fails_costs_the_explanation_only(
    explainer: Explainer, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_end: object) -> None:
        raise ValueError

    monkeypatch.setattr(rules, "_RULES", (broken,))
    last = end_of(explainer, FAILED)
    assert "diagnosis" not in last[Kind.OUTCOME]
    assert "run.not_explained" in told


def test_a_rule_without_end_is_ended(told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shim_explainer, "_SECONDS", 0.02)

    def endless() -> None:
        while True:
            pass

    assert bounded(endless) is None
    assert told == ["run.not_explained"]


def test_the_explanation_fits_into_what_a_full_disk_leaves(explainer: Explainer) -> None:
    last = end_of(explainer, FAILED)
    diagnosis = last[Kind.OUTCOME]["diagnosis"]
    assert isinstance(diagnosis, dict)
    assert size_of(diagnosis) <= 6 * 1024
    assert size_of(last[Kind.LOG]) < 1500

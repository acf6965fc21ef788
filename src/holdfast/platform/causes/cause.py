"""The cause of a run's end: the diagnosis of its worker, else what the run's words tell. Pure."""

from __future__ import annotations

from holdfast.diagnosis.diagnose import diagnose
from holdfast.diagnosis.ending import Diagnosis, Ending, read_diagnosis
from holdfast.model.json import Json
from holdfast.model.outcome import RunState

_REASONS = {
    RunState.FAILED: "fail",
    RunState.CRASHED: "crash",
    RunState.KILLED: "kill",
    RunState.EXCEPTION: "exception",
    RunState.CANCELLED: "cancel",
    RunState.LOST: "lost",
}


def diagnosis_of(
    made: Json, state: str, error_type: str | None, message: str | None
) -> Diagnosis | None:
    """The one that a worker made, else what the run's words tell. None: it did not fail."""
    reason = _REASONS.get(RunState(state))
    if reason is None:
        return None
    if isinstance(made, dict) and made.get("code"):
        return read_diagnosis(made)
    return diagnose(Ending(reason, error_type or "", message or ""))

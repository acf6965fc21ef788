"""The cause of one failed step, from its STEP_COMPLETE record."""

from __future__ import annotations

from holdfast.diagnosis.diagnose import diagnose
from holdfast.diagnosis.ending import Diagnosis, Ending
from holdfast.model.json import JsonObject


def diagnose_step(body: JsonObject, refused: tuple[tuple[str, str], ...] = ()) -> Diagnosis:
    """Why the step failed; `body` is that of a step that did not succeed."""
    position, facts = body.get("position"), body.get("facts")
    end = Ending(
        str(body["reason"]),
        str(body.get("error_type") or ""),
        str(body.get("error_message") or ""),
        str(body["job_id"]),
        position if isinstance(position, dict) else {},
        facts if isinstance(facts, dict) else {},
        {},
        refused,
    )
    found = diagnose(end)
    assert found is not None, "the step has failed"
    return found

"""Why a run failed, as its page says it. A foreign worker's words must not break the page."""

from __future__ import annotations

import json
from dataclasses import dataclass

from holdfast.diagnosis.catalogue import CATALOGUE
from holdfast.diagnosis.diagnose import diagnose
from holdfast.diagnosis.ending import Diagnosis, Ending, read_diagnosis
from holdfast.diagnosis.entry import TURNS
from holdfast.model.json import Json
from holdfast.model.outcome import RunState
from holdfast.platform.web.render import shorten

#: Characters of one part, and of the line of code that is shown.
_TEXT, _SOURCE = 4000, 300
_REASONS = {
    RunState.FAILED: "fail",
    RunState.CRASHED: "crash",
    RunState.KILLED: "kill",
    RunState.EXCEPTION: "exception",
    RunState.CANCELLED: "cancel",
    RunState.LOST: "lost",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown: texts; `place` is the line of code with a caret below it."""

    code: str
    what: str
    change: str
    turn: str
    where: str | None
    place: str | None
    state: str | None
    title: str
    example: str


def diagnosed(
    postmortem: str | None, state: str, error_type: str | None, message: str | None
) -> Shown | None:
    """The worker's diagnosis; where there is none, what the run's own words tell."""
    reason = _REASONS.get(RunState(state))
    if reason is None:
        return None
    document: Json = json.loads(postmortem) if postmortem else None
    made = document.get("diagnosis") if isinstance(document, dict) else None
    if isinstance(made, dict) and made.get("code"):
        return _shown(read_diagnosis(made))
    found = diagnose(Ending(reason, error_type or "", message or ""))
    return _shown(found) if found is not None else None


def _shown(diagnosis: Diagnosis) -> Shown:
    entry = CATALOGUE.get(diagnosis.code)
    line, column, src = (diagnosis.position.get(key) for key in ("line", "column", "src"))
    place = None
    if isinstance(src, str) and isinstance(column, int) and 0 < column <= _SOURCE:
        place = f"{src[:_SOURCE]}\n{' ' * (column - 1)}^"
    step = f'step "{diagnosis.step}", ' if diagnosis.step else ""
    return Shown(
        diagnosis.code[:20],
        shorten(diagnosis.what, _TEXT),
        shorten(diagnosis.change, _TEXT),
        TURNS[diagnosis.turn],
        f"{step}line {line}, column {column}"[:200] if line else None,
        place,
        shorten(diagnosis.state, _TEXT) if diagnosis.state else None,
        entry.title if entry else "",
        entry.example if entry else "",
    )

"""Why a run failed, as its page says it. A foreign worker's words must not break the page."""

from __future__ import annotations

import json
from dataclasses import dataclass

from holdfast.diagnosis.catalogue import CATALOGUE
from holdfast.diagnosis.ending import Diagnosis
from holdfast.diagnosis.entry import TURNS
from holdfast.model.json import Json
from holdfast.platform.causes.cause import diagnosis_of
from holdfast.platform.causes.naming import NO_NAMES, Names
from holdfast.platform.web.render import shorten

#: Characters of one part, and of the line of code that is shown.
_TEXT, _SOURCE = 4000, 300
#: Lines and columns that a file can have.
_MOST = 10**7


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown: texts, and the place in the code of a job; `src` is that line of it."""

    code: str
    what: str
    change: str
    turn: str
    job_id: str | None
    line: int | None
    column: int | None
    src: str | None
    state: str | None
    title: str
    example: str

    @property
    def place(self) -> str | None:
        """The line of code with a mark below it; None: it is not known, or too long for a page."""
        if self.src is None or self.column is None or self.column > _SOURCE:
            return None
        return f"{self.src}\n{' ' * (self.column - 1)}^"


def diagnosed(
    postmortem: str | None,
    state: str,
    error_type: str | None,
    message: str | None,
    names: Names = NO_NAMES,
) -> Shown | None:
    """The worker's diagnosis; where there is none, what the run's own words tell."""
    document: Json = json.loads(postmortem) if postmortem else None
    made = document.get("diagnosis") if isinstance(document, dict) else None
    found = diagnosis_of(made, state, error_type, message)
    return _shown(found, names) if found is not None else None


def _shown(diagnosis: Diagnosis, names: Names) -> Shown:
    entry = CATALOGUE.get(diagnosis.code)
    line, column, src = (diagnosis.position.get(key) for key in ("line", "column", "src"))
    return Shown(
        diagnosis.code[:20],
        shorten(names.words(diagnosis.what), _TEXT),
        shorten(names.words(diagnosis.change), _TEXT),
        TURNS[diagnosis.turn],
        diagnosis.step,
        line if isinstance(line, int) and 0 < line < _MOST else None,
        column if isinstance(column, int) and 0 < column < _MOST else None,
        src[:_SOURCE] if isinstance(src, str) else None,
        shorten(names.words(diagnosis.state), _TEXT) if diagnosis.state else None,
        entry.title if entry else "",
        entry.example if entry else "",
    )

"""Failures of the same cause in one row: how often, since when, in which runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from holdfast.diagnosis.ending import Diagnosis
from holdfast.diagnosis.entry import TURNS
from holdfast.model.json import Json
from holdfast.platform.causes.cause import diagnosis_of
from holdfast.platform.causes.naming import ENGLISH, NO_NAMES, Names, read_names
from holdfast.platform.clock import SECOND
from holdfast.platform.store import history, workflows
from holdfast.platform.store.database import Connection
from holdfast.platform.store.diagnoses import failures
from holdfast.platform.store.history import UNSUCCESSFUL, Filters, Range
from holdfast.platform.store.history_kinds import RUNS

#: Days that are looked at, failures that are grouped, and characters of a cause.
DAYS, MOST, _TEXT = 14, 500, 300
_DAY = 24 * 3600 * SECOND


@dataclass(slots=True)
class Problem:
    """Runs of one workflow that failed for one cause; the newest first.

    `days`: how many on each of the last days, today's last. `version`: the workflow's first one
    that was seen to fail so, and when it was made.
    """

    code: str
    what: str
    turn: str
    step: str | None
    workflow_id: str
    workflow_name: str
    project_id: str
    first: int
    last: int
    runs: list[str] = field(default_factory=list)
    days: list[int] = field(default_factory=lambda: [0] * DAYS)
    version: tuple[int, int] | None = None

    def is_new(self, looked_from: int) -> bool:
        """Whether runs before its first version could have been seen, and none failed so.

        `looked_from`: the moment from which on all failures were looked at (microseconds).
        """
        return self.version is not None and self.version[0] > 1 and self.version[1] >= looked_from

    @property
    def heights(self) -> list[int]:
        """Of a bar for each day, in hundredths; a day with few is still seen."""
        most = max(self.days)
        return [max(10, 100 * count // most) if count else 0 for count in self.days]


def grouped(
    rows: Iterable[Mapping[str, Any]], until: int, names: Names = NO_NAMES
) -> list[Problem]:
    """The problems of runs that come newest first; the one that was seen last comes first."""
    found: dict[tuple[str, str], Problem] = {}
    causes: dict[tuple[str | None, ...], Diagnosis | None] = {}  # many end in the same words
    for row in rows:
        words = (row["diagnosis"], row["state"], row["error_type"], row["error_message"])
        if words not in causes:
            made: Json = json.loads(words[0]) if words[0] else None
            causes[words] = diagnosis_of(made, *words[1:])
        cause = causes[words]
        if cause is None:
            continue
        key = (row["workflow_id"], cause.problem)
        problem = found.get(key) or found.setdefault(key, _begun(row, cause, names))
        problem.first = row["inserted_at"]
        problem.runs.append(row["id"])
        age = (until - row["inserted_at"]) // _DAY  # below 0 by another machine's clock
        version = (row["lock_version"], row["made_at"])
        problem.version = min(version, problem.version or version)
        problem.days[DAYS - 1 - min(DAYS - 1, max(0, age))] += 1
    return list(found.values())


def _begun(row: Mapping[str, Any], cause: Diagnosis, names: Names) -> Problem:
    return Problem(
        cause.code[:20],
        _short(names.words(cause.what) or cause.title or cause.code),
        TURNS[cause.turn],
        cause.step and _short(names.by_id.get(cause.step, cause.step)),
        row["workflow_id"],
        row["workflow_name"],
        row["project_id"],
        row["inserted_at"],
        row["inserted_at"],
    )


def _short(text: str) -> str:
    return text if len(text) <= _TEXT else f"{text[:_TEXT]}\n…"


@dataclass(frozen=True, slots=True)
class Found:
    """The problems of the last days.

    All failures from `looked_from` on (microseconds) were looked at; `more`: there are older ones.
    """

    problems: list[Problem]
    more: bool
    looked_from: int


def find(
    connection: Connection, filters: Filters, until: int, triggers: Mapping[str, str] = ENGLISH
) -> Found:
    """The problems up to a moment. `filters`: of which runs; `triggers`: words for their types.

    What somebody tries, a step or a connection, is none: whoever tries it sees its end.
    """
    since = until - DAYS * _DAY
    chosen = replace(filters, states=UNSUCCESSFUL, inserted=Range(since, until))
    ids, more = history.newest_ids(connection, RUNS, chosen, MOST)
    rows = history.named(connection, failures(connection, ids))
    flows = {row["workflow_id"] for row in rows}
    parts = workflows.parts_to_name(connection, flows)
    names = read_names(connection, parts, triggers=triggers)
    looked_from = rows[-1]["inserted_at"] if more and rows else since
    return Found(grouped(rows, until, names), more, looked_from)

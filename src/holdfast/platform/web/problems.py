"""Failures of the same cause in one row: how often, since when, in which runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from holdfast.diagnosis.ending import Diagnosis
from holdfast.diagnosis.entry import TURNS
from holdfast.model.json import JsonObject
from holdfast.platform.access import visit
from holdfast.platform.clock import SECOND, now
from holdfast.platform.service import Platform
from holdfast.platform.store import history
from holdfast.platform.store.database import Connection
from holdfast.platform.store.diagnoses import diagnoses_of
from holdfast.platform.store.history import UNSUCCESSFUL, Filters, Range, Wanted
from holdfast.platform.store.history_kinds import RUNS
from holdfast.platform.web import chosen
from holdfast.platform.web.data import workflow_rows
from holdfast.platform.web.diagnosed import diagnosis_of
from holdfast.platform.web.naming import NO_NAMES
from holdfast.platform.web.render import page, shorten

#: Days that are looked at, failures that are grouped, and characters of a cause.
DAYS, MOST, _TEXT = 14, 500, 300
_DAY = 24 * 3600 * SECOND


@dataclass(slots=True)
class Problem:
    """Runs of one workflow that failed for one cause; the newest first.

    `days`: how many on each of the last days, today's last.
    """

    code: str
    what: str
    turn: str
    workflow_id: str
    workflow_name: str
    project_id: str
    first: int
    last: int
    runs: list[str] = field(default_factory=list)
    days: list[int] = field(default_factory=lambda: [0] * DAYS)

    @property
    def heights(self) -> list[int]:
        """Of a bar for each day, in hundredths; a day with few is still seen."""
        most = max(self.days)
        return [max(10, 100 * count // most) if count else 0 for count in self.days]


def grouped(
    rows: Iterable[Mapping[str, Any]], diagnoses: Mapping[str, JsonObject], until: int
) -> list[Problem]:
    """The problems of runs that come newest first; the one that was seen last comes first."""
    found: dict[tuple[str, str], Problem] = {}
    for row in rows:
        cause = diagnosis_of(
            diagnoses.get(row["id"]), row["state"], row["error_type"], row["error_message"]
        )
        if cause is None:
            continue
        key = (row["workflow_id"], cause.fingerprint or cause.code)
        problem = found.setdefault(key, _begun(row, cause))
        problem.first = row["inserted_at"]
        problem.runs.append(row["id"])
        age = (until - row["inserted_at"]) // _DAY  # below 0 by another machine's clock
        problem.days[DAYS - 1 - min(DAYS - 1, max(0, age))] += 1
    return list(found.values())


def _begun(row: Mapping[str, Any], cause: Diagnosis) -> Problem:
    return Problem(
        cause.code[:20],
        shorten(NO_NAMES.words(cause.what) or cause.title or cause.code, _TEXT),
        TURNS[cause.turn],
        row["workflow_id"],
        row["workflow_name"],
        row["project_id"],
        row["inserted_at"],
        row["inserted_at"],
    )


async def show(request: Request) -> Response:
    """The problems of the last days. `?workflow_id=`: of one workflow."""
    platform: Platform = request.app.state.platform
    visible, until = visit.subject().visible, now()
    asked = request.query_params
    filters = Filters(
        states=UNSUCCESSFUL,
        workflow_id=asked.get("workflow_id") or None,
        inserted=Range(until - DAYS * _DAY, until),
        visible=visible,
    )

    def read(connection: Connection) -> dict[str, Any]:
        found = history.page(connection, RUNS, filters, Wanted(MOST))
        diagnoses = diagnoses_of(connection, [row.id for row in found.rows])
        return {
            "problems": grouped(history.named(connection, found.rows), diagnoses, until),
            "more": found.older is not None,
            "workflows": workflow_rows(connection, visible),
        }

    return page(
        "problems.html",
        **await platform.database.read(read),
        days=DAYS,
        most=MOST,
        most_chosen=chosen.MOST,
        workflow_id=filters.workflow_id,
        told=chosen.Told.read(asked.get("told", "")),
        address=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
    )

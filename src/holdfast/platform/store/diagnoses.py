"""Failures with the diagnoses of their post-mortems, and nothing else of these."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import JSON, ColumnElement, Text, case, cast, func, select

from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.store.runs import is_whole

#: A larger post-mortem is not read for a list, which may have hundreds of runs.
_MOST_CHARACTERS = 200_000


def failures(connection: Connection, run_ids: Iterable[str]) -> list[Row]:
    """What groups whole runs by their cause, the newest first: whose they are, their ends, the
    `diagnosis` as JSON, and `lock_version` and `made_at` of the version that they executed."""
    r, s = t.runs.c, t.snapshots.c
    columns = (
        r.id, r.project_id, r.workflow_id, r.inserted_at, r.state, r.error_type, r.error_message,
        _diagnosis(connection).label("diagnosis"), s.lock_version, s.inserted_at.label("made_at"),
    )  # fmt: skip
    query = select(*columns).join(t.snapshots, s.id == r.snapshot_id)
    chosen = query.where(r.id.in_(list(run_ids)), is_whole(r.options))
    return list(connection.execute(chosen.order_by(r.inserted_at.desc(), r.id.desc())))


def _diagnosis(connection: Connection) -> ColumnElement[str]:
    """That of a run as JSON; null, where there is none, or too much around it."""
    c = t.runs.c
    part: ColumnElement[str]
    if connection.dialect.name == "sqlite":
        part = func.json_extract(c.postmortem, "$.diagnosis")
    else:
        part = cast(func.json_extract_path(cast(c.postmortem, JSON), "diagnosis"), Text)
    return case((func.length(c.postmortem) <= _MOST_CHARACTERS, part))

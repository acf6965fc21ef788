"""The diagnoses in post-mortems, without the rest of them, which may be large."""

from __future__ import annotations

import json
from collections.abc import Iterable

from sqlalchemy import JSON, ColumnElement, Text, cast, func, select

from holdfast.model.json import JsonObject
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection

#: A larger post-mortem is not read for a list, which may have hundreds of runs.
_MOST_CHARACTERS = 200_000


def diagnoses_of(connection: Connection, run_ids: Iterable[str]) -> dict[str, JsonObject]:
    """By run; runs without one, and those with a very large post-mortem, are left out."""
    r = t.runs.c
    part: ColumnElement[str]
    if connection.dialect.name == "sqlite":
        part = func.json_extract(r.postmortem, "$.diagnosis")
    else:
        part = cast(func.json_extract_path(cast(r.postmortem, JSON), "diagnosis"), Text)
    query = select(r.id, part.label("diagnosis")).where(
        r.id.in_(list(run_ids)),
        r.postmortem.is_not(None),
        func.length(r.postmortem) <= _MOST_CHARACTERS,
    )
    rows = connection.execute(query)
    found = {row.id: json.loads(row.diagnosis) for row in rows if row.diagnosis}
    return {key: value for key, value in found.items() if isinstance(value, dict)}

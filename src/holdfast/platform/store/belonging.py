"""Which project something belongs to: what every decision about access begins with."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select

from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection


def project_of(connection: Connection, kind: str, key: str) -> str | None:
    """The id of the project of a thing; None if there is no such thing."""
    return _KINDS[kind](connection, key)


def _column_of(table_name: str) -> Callable[[Connection, str], str | None]:
    table = t.metadata.tables[table_name]

    def find(connection: Connection, key: str) -> str | None:
        found: str | None = connection.scalar(select(table.c.project_id).where(table.c.id == key))
        return found

    return find


def _project(connection: Connection, id_or_name: str) -> str | None:
    c = t.projects.c
    named = select(c.id).where((c.id == id_or_name) | (c.name == id_or_name))
    found: str | None = connection.scalar(named)
    return found


def _of_job(connection: Connection, key: str) -> str | None:
    w, j = t.workflows.c, t.jobs.c
    query = select(w.project_id).join(t.jobs, j.workflow_id == w.id).where(j.id == key)
    found: str | None = connection.scalar(query)
    return found


_KINDS: dict[str, Callable[[Connection, str], str | None]] = {
    "project": _project,
    "workflow": _column_of("workflows"),
    "run": _column_of("runs"),
    "work_order": _column_of("work_orders"),
    "dataclip": _column_of("dataclips"),
    "credential": _column_of("credentials"),
    "keychain": _column_of("keychains"),
    "collection": _column_of("collections"),
    "job": _of_job,
}

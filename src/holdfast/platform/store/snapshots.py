"""Snapshots: a workflow as it was at an import. Runs execute them and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, select

from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row

#: Built once, as in `runs.py`.
_BODY = select(t.snapshots.c.body).where(t.snapshots.c.id == bindparam("of_snapshot"))
_WITH_SNAPSHOT = (
    select(
        t.runs.c.id,
        t.runs.c.work_order_id,
        t.runs.c.workflow_id,
        t.runs.c.project_id,
        t.runs.c.starting_trigger_id,
        t.runs.c.starting_job_id,
        t.runs.c.dataclip_id,
        t.runs.c.options,
        t.snapshots.c.name,
        t.snapshots.c.lock_version,
        t.snapshots.c.body,
    )
    .join(t.snapshots, t.snapshots.c.id == t.runs.c.snapshot_id)
    .where(t.runs.c.id == bindparam("of_run"))
)


#: What a workflow has before its first version.
NO_PARTS: Mapping[str, Any] = {"jobs": [], "triggers": [], "edges": []}


def newest_snapshot(connection: Connection, workflow_id: str) -> str:
    """The id of the snapshot that a new run executes."""
    c = t.snapshots.c
    found = connection.scalar(
        select(c.id).where(c.workflow_id == workflow_id).order_by(c.lock_version.desc()).limit(1)
    )
    return str(found)


def body_of(connection: Connection, snapshot_id: str) -> str:
    """Its parts as JSON text."""
    body = connection.scalar(_BODY, {"of_snapshot": snapshot_id})
    return body or json.dumps(NO_PARTS)


def parts_of(connection: Connection, snapshot_id: str) -> dict[str, Any]:
    """Its `jobs`, `triggers` and `edges`, as rows of their tables were."""
    parts: dict[str, Any] = json.loads(body_of(connection, snapshot_id))
    return parts


def version_of(connection: Connection, snapshot_id: str) -> int:
    """The workflow's number at the import that made the snapshot."""
    c = t.snapshots.c
    return connection.scalar(select(c.lock_version).where(c.id == snapshot_id)) or 0


def run_with_snapshot(connection: Connection, run_id: str) -> Row:
    """What a plan is made of: the run's beginning and options, the snapshot's name and body."""
    return connection.execute(_WITH_SNAPSHOT, {"of_run": run_id}).one()


def versions_of(connection: Connection, workflow_id: str, limit: int) -> list[Row]:
    """`lock_version`, `name`, `created_by` and `inserted_at` of the newest versions."""
    c = t.snapshots.c
    return list(
        connection.execute(
            select(c.lock_version, c.name, c.created_by, c.inserted_at)
            .where(c.workflow_id == workflow_id)
            .order_by(c.lock_version.desc())
            .limit(limit)
        )
    )


def parts_at(connection: Connection, workflow_id: str, version: int) -> dict[str, Any] | None:
    """The workflow's parts as they were at a version; None: it has no such version."""
    c = t.snapshots.c
    body = connection.scalar(
        select(c.body).where(c.workflow_id == workflow_id, c.lock_version == version)
    )
    parts: dict[str, Any] | None = None if body is None else json.loads(body)
    return parts

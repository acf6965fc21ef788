"""Snapshots: a workflow as it was at an import. Runs execute them and nothing else."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select

from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row


def newest_snapshot(connection: Connection, workflow_id: str) -> str:
    """The id of the snapshot that a new run executes."""
    c = t.snapshots.c
    found = connection.scalar(
        select(c.id).where(c.workflow_id == workflow_id).order_by(c.lock_version.desc()).limit(1)
    )
    return str(found)


def parts_of(connection: Connection, snapshot_id: str) -> dict[str, Any]:
    """Its `jobs`, `triggers` and `edges`, as rows of their tables were."""
    body = connection.scalar(select(t.snapshots.c.body).where(t.snapshots.c.id == snapshot_id))
    parts: dict[str, Any] = json.loads(body or '{"jobs": [], "triggers": [], "edges": []}')
    return parts


def version_of(connection: Connection, snapshot_id: str) -> int:
    """The workflow's number at the import that made the snapshot."""
    c = t.snapshots.c
    return connection.scalar(select(c.lock_version).where(c.id == snapshot_id)) or 0


def run_with_snapshot(connection: Connection, run_id: str) -> Row:
    """What a plan is made of: the run's beginning and options, the snapshot's name and body."""
    r, s = t.runs.c, t.snapshots.c
    return connection.execute(
        select(
            r.id,
            r.work_order_id,
            r.workflow_id,
            r.project_id,
            r.starting_trigger_id,
            r.starting_job_id,
            r.dataclip_id,
            r.options,
            s.name,
            s.body,
        )
        .join(t.snapshots, s.id == r.snapshot_id)
        .where(r.id == run_id)
    ).one()

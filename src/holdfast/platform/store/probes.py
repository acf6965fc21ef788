"""Where runs that test a credential's connection belong: a workflow that no list shows.

It counts as deleted from the start, so that no list of workflows, project file or health of a
workflow has it. Lists of runs show its runs. Each credential has its own; its id is made of the
credential's.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from sqlalchemy import insert, select, update

from holdfast.platform.store import credentials
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row, Transaction, insert_new
from holdfast.platform.store.runs import find_run
from holdfast.platform.store.snapshots import parts_of

_NAMES = uuid.UUID("5ad1f0a6-6a56-4b0c-9a0e-3e0d1a8e7a10")


def workflow_of(credential_id: str) -> str:
    """The id of the workflow of a credential's tests."""
    return str(uuid.uuid5(_NAMES, credential_id))


def put_workflow(tx: Transaction, credential: Row, job: dict[str, Any]) -> tuple[str, str]:
    """The workflow, whose newest version has this one job; ids of both.

    `job`: `name`, `adaptor`, `adaptor_resolved` and `body`.
    """
    key, w = workflow_of(credential.id), t.workflows.c
    name = f"Connection of {credential.name[:200]} ({credential.id[:8]})"
    first = {"id": key, "project_id": credential.project_id, "name": name, "lock_version": 0,
             "deleted_at": tx.now, "inserted_at": tx.now, "updated_at": tx.now}  # fmt: skip
    tx.connection.execute(insert_new(tx.connection.dialect.name, t.workflows), first)
    version = tx.connection.execute(
        select(w.lock_version).where(w.id == key).with_for_update()
    ).scalar_one()
    job_id = str(uuid.uuid5(_NAMES, key))
    whole = {**job, "id": job_id, "credential_id": credential.id}
    body = json.dumps({"jobs": [whole], "triggers": [], "edges": []})
    if not _is_newest(tx.connection, key, name, body):
        changed = {"name": name, "lock_version": version + 1, "updated_at": tx.now}
        tx.connection.execute(update(t.workflows).where(w.id == key).values(**changed))
        snapshot = {"id": str(uuid.uuid4()), "workflow_id": key, "lock_version": version + 1,
                    "name": name, "body": body, "inserted_at": tx.now}  # fmt: skip
        tx.connection.execute(insert(t.snapshots).values(snapshot))
    return key, job_id


def _is_newest(connection: Connection, workflow_id: str, name: str, body: str) -> bool:
    s = t.snapshots.c
    query = select(s.name, s.body).where(s.workflow_id == workflow_id)
    row = connection.execute(query.order_by(s.lock_version.desc()).limit(1)).one_or_none()
    return row is not None and (row.name, row.body) == (name, body)


def adaptors_of(connection: Connection, credential: Row) -> list[tuple[str, str, bool]]:
    """Adaptors of the project's jobs: as written, with a version, and whether the job has this
    credential; those that have it come first."""
    j, w = t.jobs.c, t.workflows.c
    query = (
        select(j.adaptor, j.adaptor_resolved, j.credential_id)
        .join(t.workflows, w.id == j.workflow_id)
        .where(w.project_id == credential.project_id, w.deleted_at.is_(None))
        .order_by(j.adaptor_resolved.desc(), j.id)
    )
    rows = [(a, v, key == credential.id) for a, v, key in connection.execute(query)]
    return sorted(rows, key=lambda row: not row[2])


def tested(connection: Connection, project_id: str, run_id: str) -> tuple[Row, Row, str] | None:
    """The run of a test, the credential that it is of, and the name of its step.

    None: it is no test of a credential of this project, or the credential was removed.
    """
    run = find_run(connection, run_id)
    if run is None or run.project_id != project_id:
        return None
    for job in parts_of(connection, run.snapshot_id)["jobs"]:
        key = job["credential_id"] or ""
        row = credentials.find(connection, key) if run.workflow_id == workflow_of(key) else None
        if row is not None:
            return run, row, str(job["name"])
    return None

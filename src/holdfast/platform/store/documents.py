"""Projects as the provisioning API shows them (`docs/spec/platform.md` 7.2)."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Table, or_, select

from holdfast.model.json import Json, JsonObject
from holdfast.platform.clock import iso
from holdfast.platform.project.merge import dicts
from holdfast.platform.project.model import CRON_DEFAULTS, KEPT, PRIORITY
from holdfast.platform.project.versions import version_of
from holdfast.platform.store import tables as t
from holdfast.platform.store import webhook_keys
from holdfast.platform.store.database import Row

#: Left out when they are empty: the `openfn` command leaves them out, too, and
#: would take the difference for a change.
_IF_ANY = ("record", "collections", "channels")


def parts_of_workflow(connection: Connection, workflow_id: str) -> JsonObject:
    """Jobs, triggers and edges of a workflow, as rows."""

    def rows(table: Table, *order: Any) -> list[Json]:
        query = select(table).where(table.c.workflow_id == workflow_id).order_by(*order)
        skipped = {"workflow_id", "position", "last_fired_at"}
        return [
            {key: value for key, value in row.items() if key not in skipped}
            for row in connection.execute(query).mappings()
        ]

    jobs = rows(t.jobs, t.jobs.c.position, t.jobs.c.name)
    for job in dicts(jobs):
        if job["keychain_credential_id"] is None:
            del job["keychain_credential_id"]  # as it was before there were any
    triggers = rows(t.triggers, t.triggers.c.type, t.triggers.c.name, t.triggers.c.id)
    for trigger in dicts(triggers):
        for name in CRON_DEFAULTS:
            if trigger[name] is None:
                del trigger[name]  # likewise
    return {
        "jobs": jobs,
        "triggers": triggers,
        "edges": rows(t.edges, t.edges.c.position, t.edges.c.id),
    }


def current_document(connection: Connection, project_id: object) -> JsonObject | None:
    """The project of this id as `document` shows it; None if there is none."""
    if not isinstance(project_id, str):
        return None
    known = select(t.projects.c.id).where(t.projects.c.id == project_id.lower())
    found = connection.scalar(known)
    return None if found is None else document(connection, found)


def find_project(connection: Connection, id_or_name: str) -> str | None:
    c = t.projects.c
    found: str | None = connection.scalar(
        select(c.id).where(or_(c.id == id_or_name, c.name == id_or_name))
    )
    return found


def retention_policy(connection: Connection, project_id: str) -> str | None:
    c = t.projects.c
    policy: str | None = connection.scalar(select(c.retention_policy).where(c.id == project_id))
    return policy


def document(connection: Connection, project_id: str) -> JsonObject:
    """The project in the shape of the provisioning API."""
    row = connection.execute(select(t.projects).where(t.projects.c.id == project_id)).one()
    collections = connection.execute(
        select(t.collections.c.id, t.collections.c.name)
        .where(t.collections.c.project_id == project_id, t.collections.c.deleted_at.is_(None))
        .order_by(t.collections.c.name)
    )
    c = t.workflows.c
    workflows = connection.execute(
        select(t.workflows)
        .where(c.project_id == project_id, c.deleted_at.is_(None))
        .order_by(c.name)
    ).all()
    kept = json.loads(row.kept or "{}")
    whole: JsonObject = {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "concurrency": row.concurrency,
        "retention_policy": row.retention_policy,
        "history_retention_period": row.history_retention_period,
        "dataclip_retention_period": row.dataclip_retention_period,
        **KEPT,
        "inserted_at": iso(row.inserted_at),
        "updated_at": iso(row.updated_at),
        "project_credentials": credentials_of(connection, project_id),
        "collections": [dict(item) for item in collections.mappings()],
        **kept,
        **_webhook_keys(connection, project_id),
        "workflows": [workflow_document(connection, workflow) for workflow in workflows],
    }
    return {name: value for name, value in whole.items() if name not in _IF_ANY or value}


def _webhook_keys(connection: Connection, project_id: str) -> JsonObject:
    """Only where there are some: OpenFn's command does not know them."""
    known = webhook_keys.names_of(connection, project_id)
    return {"webhook_keys": [{"name": n, "type": k} for n, k in known.items()]} if known else {}


def credentials_of(connection: Connection, project_id: str) -> list[Json]:
    """`id`, `name` and `owner` of each credential of a project, by name."""
    c = t.credentials.c
    rows = connection.execute(
        select(c.id, c.name, c.owner)
        .where(c.project_id == project_id, c.deleted_at.is_(None))
        .order_by(c.name, c.owner)
    )
    return [dict(row) for row in rows.mappings()]


def workflow_document(connection: Connection, row: Row) -> JsonObject:
    """A workflow of the document. Triggers and edges are shown without what is null."""
    parts: dict[str, Any] = dict(parts_of_workflow(connection, row.id))
    for job in parts["jobs"]:
        job["project_credential_id"] = job.pop("credential_id")
        del job["adaptor_resolved"]
    for trigger in parts["triggers"]:
        text = trigger["webhook_response_config"]
        trigger["webhook_response_config"] = json.loads(text) if text else None
        if (access := trigger.pop("webhook_access")) is not None:
            trigger["webhook_access"] = json.loads(access)
        if trigger["type"] != "webhook":
            trigger["webhook_reply"] = None
        if trigger["name"] == trigger["type"]:
            trigger["name"] = None
    for kind in ("triggers", "edges"):
        parts[kind] = [_filled(part) for part in parts[kind]]
    whole: JsonObject = {
        "id": row.id,
        "name": row.name,
        "lock_version": row.lock_version,
        "concurrency": row.concurrency,
        "enable_job_logs": row.enable_job_logs,
        "egress": row.egress,
        **_priority(row.priority),
        **({"retry": json.loads(row.retry)} if row.retry else {}),
        "deleted_at": iso(row.deleted_at),
        "inserted_at": iso(row.inserted_at),
        "updated_at": iso(row.updated_at),
        **json.loads(row.kept or "{}"),
        **parts,
    }
    history: list[Json] = json.loads(row.version_history or "[]")
    if not history:
        credentials = dicts(credentials_of(connection, row.project_id))
        history = [version_of(whole, credentials, "app")]
    return {**whole, "version_history": history}


def pause_of(row: Row) -> JsonObject:
    """Since when a workflow is paused, and by whom; empty: it is not."""
    if row.paused_at is None:
        return {}
    return {"paused_at": iso(row.paused_at), "paused_by": row.paused_by}


def _priority(number: int) -> JsonObject:
    """Only where it is not the usual one: OpenFn's command does not know it."""
    (name,) = (name for name, value in PRIORITY.items() if value == number)
    return {} if name == "normal" else {"priority": name}


def _filled(part: JsonObject) -> JsonObject:
    return {name: value for name, value in part.items() if value not in (None, "")}

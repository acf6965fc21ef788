"""Projects as they are now: import of a provisioning document, and its counterpart.

Runs never read these tables: they execute the snapshot that each import writes.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from holdfast.model.errors import HoldfastError
from holdfast.model.json import JsonObject
from holdfast.platform.project.access import keys_named
from holdfast.platform.project.difference import without_secret
from holdfast.platform.project.merge import dicts
from holdfast.platform.project.model import (
    CRON_DEFAULTS,
    PRIORITY,
    CollectionRef,
    CredentialRef,
    Edge,
    Job,
    Project,
    Trigger,
    Workflow,
)
from holdfast.platform.project.provision import Provision
from holdfast.platform.project.versions import same_version, version_of
from holdfast.platform.store import documents, keychains, triggers, webhook_keys
from holdfast.platform.store import tables as t
from holdfast.platform.store.collections import mark_removed
from holdfast.platform.store.database import Transaction
from holdfast.platform.store.line import Line

#: Versions of a workflow that are remembered.
_LONGEST_HISTORY = 100


class ConflictError(HoldfastError):
    """The document clashes with what the platform has."""


class ChangedError(Exception):
    """The project was changed by somebody else while the document was looked at."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a version. `source` is what its history says: `cli` or `app`."""

    source: str = "cli"
    name: str | None = None


_SOMEBODY = Author()


@dataclass(slots=True)
class Imported:
    """What an import did. Changes are lines for people: `+ job Fetch (Referrals)`."""

    project_id: str
    created: bool
    changes: list[str] = field(default_factory=list)


def import_over(
    tx: Transaction,
    current: JsonObject | None,
    provision: Provision,
    resolved: Mapping[str, str],
    author: Author = _SOMEBODY,
) -> Imported:
    """As `import_project`, if the project still is `current`, over which the document was laid.

    Raises ChangedError, ConflictError.
    """
    c = t.projects.c
    tx.connection.execute(select(c.id).where(c.id == provision.project.id).with_for_update())
    if documents.current_document(tx.connection, provision.project.id) != current:
        raise ChangedError
    return import_project(tx, provision, resolved, author)


def import_project(
    tx: Transaction,
    provision: Provision,
    resolved: Mapping[str, str],
    author: Author = _SOMEBODY,
) -> Imported:
    """Make the project what the document says. `resolved`: adaptor -> adaptor@version.

    Raises ConflictError.
    """
    project = provision.project
    _check_names(tx.connection, provision)
    try:
        done = _import(tx, provision, resolved, author)
    except IntegrityError as error:
        message = "the document gives new ids to names that the platform has already"
        raise ConflictError(
            message, fix="Send the ids that GET /api/provision/:id shows."
        ) from error
    tx.notify("runs", "deployed", project_id=project.id)
    return done


def _import(
    tx: Transaction,
    provision: Provision,
    resolved: Mapping[str, str],
    author: Author,
) -> Imported:
    project = provision.project
    values = {
        "name": project.name,
        "description": project.description,
        "concurrency": project.concurrency,
        "retention_policy": project.retention_policy,
        "history_retention_period": project.history_days,
        "dataclip_retention_period": project.dataclip_days,
        "kept": _kept(project.kept | ({"channels": project.channels} if project.channels else {})),
    }
    what = _put(tx, t.projects, project.id, values, times=True)
    done = Imported(project.id, what == "+")
    tx.kept(Line).forget()  # triggers may queue their runs now
    if what == "+":
        done.changes.append(f"+ project {project.name}")
    for credential in project.credentials:
        _import_credential(tx, project.id, credential, done)
    for name, kind in project.webhook_keys.items():
        if webhook_keys.declare(tx, project.id, name, kind):
            done.changes.append(without_secret("webhook key", name))
    _check_webhook_keys(tx.connection, project)
    _check_keychains(tx.connection, project)
    for collection in project.collections:
        _import_collection(tx, project.id, collection, done)
    _delete_collections(tx, project.id, provision.deleted, done)
    _delete_workflows(tx, project.id, provision.deleted, done)  # frees their names
    for workflow in project.workflows:
        done.changes += _import_workflow(tx, workflow, provision, resolved)
        _write_snapshot(tx, workflow.id, author.name)
        _record_version(tx, workflow.id, author.source)
    return done


def _check_webhook_keys(connection: Connection, project: Project) -> None:
    """A trigger names keys of its project only."""
    known = webhook_keys.names_of(connection, project.id)
    for workflow in project.workflows:
        for trigger in workflow.triggers:
            if unknown := sorted(set(keys_named(trigger.webhook_access)) - set(known)):
                message = f"workflow {workflow.name}: there is no webhook key {unknown[0]!r}"
                fix = "Declare it in the project's webhook_keys."
                raise ConflictError(message, fix=fix)


def _check_keychains(connection: Connection, project: Project) -> None:
    """A job names keychains of its project only, and not a credential besides."""
    known = {row.id for row in keychains.listed(connection, project.id)}
    for workflow in project.workflows:
        for job in workflow.jobs:
            where = f"workflow {workflow.name}, job {job.name}"
            if job.keychain is not None and job.keychain not in known:
                message = f"{where}: there is no keychain {job.keychain!r} in this project"
                raise ConflictError(message)
            if job.keychain is not None and job.credential is not None:
                message = f"{where}: it has a credential and a keychain; one of them is enough"
                raise ConflictError(message)


def _check_names(connection: Connection, provision: Provision) -> None:
    project = provision.project
    found = connection.scalar(select(t.projects.c.id).where(t.projects.c.name == project.name))
    if found is not None and found != project.id:
        message = f"another project is called {project.name!r}"
        raise ConflictError(message, fix="Choose another name, or deploy with that project's id.")
    ids = [workflow.id for workflow in project.workflows]
    rows = connection.execute(
        select(t.workflows.c.id, t.workflows.c.project_id).where(t.workflows.c.id.in_(ids))
    )
    if any(row.project_id != project.id for row in rows):
        message = "a workflow with one of these ids belongs to another project"
        raise ConflictError(message)
    _check_paths(connection, provision)


def _check_paths(connection: Connection, provision: Provision) -> None:
    """A custom path is an address of its own: one trigger of all projects may have it."""
    triggers = [part for workflow in provision.project.workflows for part in workflow.triggers]
    holders: dict[str, list[str]] = {}
    for trigger in triggers:
        if trigger.custom_path:
            holders.setdefault(trigger.custom_path, []).append(trigger.id)
    told = {*(trigger.id for trigger in triggers), *provision.deleted}
    c = t.triggers.c
    rows = connection.execute(
        select(c.custom_path, c.id)
        .join(t.workflows, t.workflows.c.id == c.workflow_id)
        .where(c.custom_path.in_(list(holders)), t.workflows.c.deleted_at.is_(None))
    )
    for row in rows:
        if row.id not in told:
            holders[row.custom_path].append(row.id)
    for path, ids in holders.items():
        if len(ids) > 1:
            message = f"another trigger has the custom path {path!r}"
            raise ConflictError(message, fix="Choose another path, or remove it there first.")


def _put(
    tx: Transaction, table: Table, key: str, values: dict[str, Any], *, times: bool = False
) -> str:
    """Insert or update one row: `+` new, `~` changed, `` as it was."""
    row = tx.connection.execute(select(table).where(table.c.id == key)).one_or_none()
    if row is None:
        stamps = {"inserted_at": tx.now, "updated_at": tx.now} if times else {}
        tx.connection.execute(insert(table).values(id=key, **values, **stamps))
        return "+"
    for owner in ("workflow_id", "project_id"):
        if owner in values and getattr(row, owner) != values[owner]:
            message = f"the id {key} belongs to something else already"
            raise ConflictError(message)
    if all(getattr(row, name) == value for name, value in values.items()):
        return ""
    stamps = {"updated_at": tx.now} if times else {}
    tx.connection.execute(update(table).where(table.c.id == key).values(**values, **stamps))
    return "~"


def _import_credential(
    tx: Transaction, project_id: str, credential: CredentialRef, done: Imported
) -> None:
    c = t.credentials.c
    key, name, owner = credential.key, credential.name, credential.owner
    known = select(c.id).where(c.project_id == project_id, c.owner == owner, c.name == name)
    found = tx.connection.scalar(known)
    if found is None:
        values = {"project_id": project_id, "name": name, "owner": owner, "deleted_at": None}
        _put(tx, t.credentials, key, values, times=True)
        done.changes.append(without_secret("credential", name))
    elif found != key:
        message = f"the credential {name!r} has another id here: {found}"
        raise ConflictError(message)


def _import_collection(
    tx: Transaction, project_id: str, collection: CollectionRef, done: Imported
) -> None:
    """Keeps the id that the client gives, so that the client can remove it by that id."""
    c = t.collections.c
    known = select(c.id).where(c.project_id == project_id, c.name == collection.name)
    if tx.connection.scalar(known) is None:
        values = {"project_id": project_id, "name": collection.name}
        if tx.connection.scalar(select(c.deleted_at).where(c.id == collection.id)) is not None:
            message = f"the collection with the id {collection.id} is being removed"
            raise ConflictError(message, fix="Give the new one another id.")
        _put(tx, t.collections, collection.id, values, times=True)
        done.changes.append(f"+ collection {collection.name}")


def _delete_collections(
    tx: Transaction, project_id: str, deleted: Iterable[str], done: Imported
) -> None:
    """With all their items: the document said so in words."""
    c = t.collections.c
    mine = select(c.id, c.name).where(
        c.project_id == project_id, c.id.in_(list(deleted)), c.deleted_at.is_(None)
    )
    for row in tx.connection.execute(mine).all():
        mark_removed(tx, row.id)
        done.changes.append(f"- collection {row.name}")


def _import_workflow(
    tx: Transaction,
    workflow: Workflow,
    provision: Provision,
    resolved: Mapping[str, str],
) -> list[str]:
    row = tx.connection.execute(
        select(t.workflows).where(t.workflows.c.id == workflow.id)
    ).one_or_none()
    values: dict[str, Any] = {
        "project_id": provision.project.id,
        "name": workflow.name,
        "concurrency": workflow.concurrency,
        "enable_job_logs": workflow.enable_job_logs,
        "egress": workflow.egress,
        "priority": PRIORITY[workflow.priority],
        "retry": None if workflow.retry is None else json.dumps(workflow.retry, sort_keys=True),
        "deleted_at": None,
        "lock_version": row.lock_version if row else 0,
        "kept": _kept({} if workflow.positions is None else {"positions": workflow.positions}),
    }
    changes: list[str] = []
    _note(
        changes,
        _put(tx, t.workflows, workflow.id, values, times=True),
        f"workflow {workflow.name}",
    )
    suffix = f"({workflow.name})"
    _remove_parts(tx, workflow, provision.deleted, suffix, changes)
    _free_names(tx, workflow)
    for position, job in enumerate(workflow.jobs):
        what = _put(tx, t.jobs, job.id, _job_row(workflow, job, position, resolved))
        _note(changes, what, f"job {job.name} {suffix}")
    for trigger in workflow.triggers:
        told = _trigger_row(workflow, trigger)
        triggers.begin_anew(tx, trigger.id, told)
        what = _put(tx, t.triggers, trigger.id, told)
        _note(changes, what, f"trigger {trigger.name} {suffix}")
    for position, edge in enumerate(workflow.edges):
        what = _put(tx, t.edges, edge.id, _edge_row(workflow, edge, position))
        _note(changes, what, f"edge {edge.key} {suffix}")
    return changes


def _kept(members: JsonObject) -> str | None:
    return json.dumps(members, sort_keys=True) if members else None


def _record_version(tx: Transaction, workflow_id: str, source: str) -> None:
    """Add what the workflow is now to its history, unless it is there as the last."""
    c = t.workflows.c
    row = tx.connection.execute(select(t.workflows).where(c.id == workflow_id)).one()
    shown = documents.workflow_document(tx.connection, row)
    credentials = dicts(documents.credentials_of(tx.connection, row.project_id))
    history: list[str] = json.loads(row.version_history or "[]")
    newest = version_of(shown, credentials, source)
    if not history or not same_version(history[-1], newest):
        text = json.dumps([*history, newest][-_LONGEST_HISTORY:])
        tx.connection.execute(
            update(t.workflows).where(c.id == workflow_id).values(version_history=text)
        )


def _free_names(tx: Transaction, workflow: Workflow) -> None:
    """Jobs may swap their names: those that get another one let go of the old one first."""
    for job in workflow.jobs:
        tx.connection.execute(
            update(t.jobs)
            .where(t.jobs.c.id == job.id, t.jobs.c.name != job.name)
            .values(name=t.jobs.c.id)
        )


def _note(changes: list[str], what: str, name: str) -> None:
    if what:
        changes.append(f"{what} {name}")


def _remove_parts(
    tx: Transaction, workflow: Workflow, deleted: set[str], suffix: str, changes: list[str]
) -> None:
    """Rows marked for deletion go; so do edges at jobs that go."""
    for table, kind in ((t.edges, "edge"), (t.triggers, "trigger"), (t.jobs, "job")):
        mine = table.c.workflow_id == workflow.id
        refer = ("source_job_id", "target_job_id", "source_trigger_id")
        columns = [table.c.id, *(table.c[name] for name in refer if name in table.c)]
        gone = or_(*(column.in_(deleted) for column in columns))
        label = table.c.name if "name" in table.c else table.c.id
        changes += [
            f"- {kind} {name} {suffix}"
            for name in tx.connection.scalars(select(label).where(mine, gone))
        ]
        tx.connection.execute(delete(table).where(mine, gone))


def _job_row(
    workflow: Workflow, job: Job, position: int, resolved: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "workflow_id": workflow.id,
        "name": job.name,
        "body": job.body,
        "adaptor": job.adaptor,
        "adaptor_resolved": resolved.get(job.adaptor, job.adaptor),
        "credential_id": job.credential,
        "keychain_credential_id": job.keychain,
        "position": position,
    }


def _trigger_row(workflow: Workflow, trigger: Trigger) -> dict[str, Any]:
    webhook = trigger.type == "webhook"
    config, access = trigger.webhook_response_config, trigger.webhook_access
    return {
        "workflow_id": workflow.id,
        "name": trigger.name,
        "type": trigger.type,
        "enabled": trigger.enabled,
        "custom_path": trigger.custom_path if webhook else None,
        "cron_expression": None if webhook else trigger.cron_expression,
        "cron_cursor_job_id": None if webhook else trigger.cron_cursor_job,
        **{name: _unless_usual(trigger, name) for name in CRON_DEFAULTS},
        "webhook_reply": trigger.webhook_reply,
        "webhook_response_config": json.dumps(config) if config and webhook else None,
        "webhook_access": json.dumps(access) if access and webhook else None,
    }


def _unless_usual(trigger: Trigger, name: str) -> str | None:
    """What its author says of a cron trigger, if that is not what happens anyway."""
    said: str = getattr(trigger, name)
    usual = trigger.type == "webhook" or said == CRON_DEFAULTS[name]
    return None if usual else said or None


def _edge_row(workflow: Workflow, edge: Edge, position: int) -> dict[str, Any]:
    return {
        "workflow_id": workflow.id,
        "source_trigger_id": edge.source_trigger,
        "source_job_id": edge.source_job,
        "target_job_id": edge.target_job,
        "enabled": edge.enabled,
        "condition_type": edge.condition_type,
        "condition_expression": edge.condition_expression,
        "condition_label": edge.condition_label,
        "position": position,
    }


def _write_snapshot(tx: Transaction, workflow_id: str, by: str | None) -> None:
    """Freeze the workflow when it differs from its last snapshot."""
    body = json.dumps(documents.parts_of_workflow(tx.connection, workflow_id))
    workflow = tx.connection.execute(
        select(t.workflows).where(t.workflows.c.id == workflow_id)
    ).one()
    c = t.snapshots.c
    last = tx.connection.scalar(
        select(c.body).where(c.workflow_id == workflow_id, c.lock_version == workflow.lock_version)
    )
    if last == body:
        return
    version = workflow.lock_version + 1
    values = {"workflow_id": workflow_id, "lock_version": version, "name": workflow.name}
    values |= {"body": body, "created_by": by, "inserted_at": tx.now}
    tx.connection.execute(insert(t.snapshots).values(id=str(uuid.uuid4()), **values))
    tx.connection.execute(
        update(t.workflows)
        .where(t.workflows.c.id == workflow_id)
        .values(lock_version=version, updated_at=tx.now)
    )


def _delete_workflows(
    tx: Transaction, project_id: str, deleted: Iterable[str], done: Imported
) -> None:
    """Soft: runs keep what they point to; the name is free again, the triggers are off."""
    c = t.workflows.c
    rows = tx.connection.execute(
        select(t.workflows).where(
            c.id.in_(list(deleted)), c.project_id == project_id, c.deleted_at.is_(None)
        )
    ).all()
    for row in rows:
        tx.connection.execute(
            update(t.workflows)
            .where(c.id == row.id)
            .values(deleted_at=tx.now, name=f"{row.name}_del_{tx.now}", updated_at=tx.now)
        )
        tx.connection.execute(
            update(t.triggers).where(t.triggers.c.workflow_id == row.id).values(enabled=False)
        )
        done.changes.append(f"- workflow {row.name}")

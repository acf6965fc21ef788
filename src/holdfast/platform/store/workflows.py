"""Workflows as they are now: who owns them, what they begin with, what they did lately."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Column, func, select

from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.store.lists import seen


def find_workflow(connection: Connection, workflow_id: str) -> Row | None:
    """A workflow that is not deleted, with its `project_name`."""
    return connection.execute(
        select(t.workflows, t.projects.c.name.label("project_name"))
        .join(t.projects, t.projects.c.id == t.workflows.c.project_id)
        .where(t.workflows.c.id == workflow_id, t.workflows.c.deleted_at.is_(None))
    ).one_or_none()


def names_of(connection: Connection, workflow_id: str) -> Row:
    """`name`, `project_name` and `kept` of a workflow, also of a deleted one."""
    return connection.execute(
        select(t.workflows.c.name, t.workflows.c.kept, t.projects.c.name.label("project_name"))
        .join(t.projects, t.projects.c.id == t.workflows.c.project_id)
        .where(t.workflows.c.id == workflow_id)
    ).one()


def parts_to_name(connection: Connection, workflow_ids: Collection[str]) -> dict[str, list[Any]]:
    """Jobs, triggers and edges as they are now, with what their names are made of: no code."""
    j, g, e = t.jobs.c, t.triggers.c, t.edges.c
    wanted: dict[str, tuple[Column[Any], ...]] = {
        "jobs": (j.workflow_id, j.id, j.name, j.credential_id, j.keychain_credential_id),
        "triggers": (g.workflow_id, g.id, g.type),
        "edges": (e.workflow_id, e.id, e.source_trigger_id, e.source_job_id, e.target_job_id),
    }
    return {
        kind: list(
            connection.execute(
                select(*columns).where(columns[0].in_(sorted(workflow_ids)))
            ).mappings()
        )
        for kind, columns in wanted.items()
    }


def project_of(connection: Connection, workflow_id: str) -> str:
    query = select(t.workflows.c.project_id).where(t.workflows.c.id == workflow_id)
    return str(connection.execute(query).scalar_one())


def has_job(connection: Connection, workflow_id: str, job_id: str) -> bool:
    known = select(t.jobs.c.id).where(t.jobs.c.id == job_id, t.jobs.c.workflow_id == workflow_id)
    return connection.scalar(known) is not None


def has_trigger(connection: Connection, workflow_id: str, trigger_id: str) -> bool:
    c = t.triggers.c
    known = select(c.id).where(c.id == trigger_id, c.workflow_id == workflow_id)
    return connection.scalar(known) is not None


def first_trigger(connection: Connection, workflow_id: str) -> str | None:
    """The trigger that a start by hand stands for: an enabled one if there is one."""
    c = t.triggers.c
    query = select(c.id).where(c.workflow_id == workflow_id).order_by(c.enabled.desc())
    found: str | None = connection.scalar(query)
    return found


def first_job(connection: Connection, workflow_id: str) -> str | None:
    """The first job that no edge leads to."""
    targets = select(t.edges.c.target_job_id).where(t.edges.c.workflow_id == workflow_id)
    found: str | None = connection.scalar(
        select(t.jobs.c.id)
        .where(t.jobs.c.workflow_id == workflow_id, t.jobs.c.id.not_in(targets))
        .order_by(t.jobs.c.position)
    )
    return found


def all_workflows(connection: Connection, visible: frozenset[str] | None = None) -> list[Row]:
    """`id`, `name`, `project_id` and `project_name` of each that may be seen, by name."""
    w, p = t.workflows.c, t.projects.c
    return list(
        connection.execute(
            select(w.id, w.name, w.project_id, p.name.label("project_name"))
            .join(t.projects, p.id == w.project_id)
            .where(w.deleted_at.is_(None), seen(w.project_id, visible))
            .order_by(p.name, w.name)
        )
    )


def runs_by_state(connection: Connection, since: int) -> dict[str, dict[str, int]]:
    """How many runs of each workflow were made since a time (microseconds): id -> state -> n."""
    r = t.runs.c
    rows = connection.execute(
        select(r.workflow_id, r.state, func.count().label("n"))
        .where(r.inserted_at > since)
        .group_by(r.workflow_id, r.state)
    )
    counts: dict[str, dict[str, int]] = {}
    for row in rows:
        counts.setdefault(row.workflow_id, {})[row.state] = row.n
    return counts

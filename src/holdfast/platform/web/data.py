"""What the pages show, read from the database."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, func, select

from holdfast.platform.api.reads import queue_view, snapshot_parts
from holdfast.platform.clock import SECOND, now
from holdfast.platform.start.cron import next_time
from holdfast.platform.store import steps
from holdfast.platform.store import tables as t
from holdfast.platform.store.runs import find_run, newest_snapshot
from holdfast.platform.web.explain import FINAL, STEP_STATES

PAGE = 25
LINES = 2000
_DAY = 24 * 3600 * SECOND


def run_rows(
    connection: Connection, *, limit: int = PAGE, offset: int = 0, **filters: str | None
) -> list[Row[Any]]:
    """Runs with the names of workflow and project, newest first."""
    r, w, p = t.runs.c, t.workflows.c, t.projects.c
    query = (
        select(*t.LISTED_RUN, w.name.label("workflow_name"), p.name.label("project_name"))
        .join(t.workflows, w.id == r.workflow_id)
        .join(t.projects, p.id == r.project_id)
        .order_by(r.inserted_at.desc(), r.id)
        .limit(limit)
        .offset(offset)
    )
    for name, value in filters.items():
        if not value:
            continue
        if name == "q":
            query = query.where(r.id.startswith(value.strip().lower(), autoescape=True))
        elif name == "state" and value == "unsuccessful":
            query = query.where(r.state.in_(sorted(FINAL - {"success", "cancelled"})))
        else:
            query = query.where(r[name] == value)
    return list(connection.execute(query))


def workflow_rows(connection: Connection) -> list[dict[str, Any]]:
    """Workflows with what they did in the last day."""
    w, p, r = t.workflows.c, t.projects.c, t.runs.c
    rows = connection.execute(
        select(w.id, w.name, p.name.label("project_name"))
        .join(t.projects, p.id == w.project_id)
        .where(w.deleted_at.is_(None))
        .order_by(p.name, w.name)
    )
    counts: dict[str, dict[str, int]] = {}
    recent = connection.execute(
        select(r.workflow_id, r.state, func.count().label("n"))
        .where(r.inserted_at > now() - _DAY)
        .group_by(r.workflow_id, r.state)
    )
    for row in recent:
        counts.setdefault(row.workflow_id, {})[row.state] = row.n
    return [
        {
            "id": row.id,
            "name": row.name,
            "project": row.project_name,
            "runs": sum(counts.get(row.id, {}).values()),
            "success": counts.get(row.id, {}).get("success", 0),
            "bad": sum(
                n
                for state, n in counts.get(row.id, {}).items()
                if state in FINAL - {"success", "cancelled"}
            ),
        }
        for row in rows
    ]


def overview(connection: Connection) -> dict[str, Any]:
    workflows = workflow_rows(connection)
    return {
        "queue": queue_view(connection),
        "workflows": workflows,
        "runs": run_rows(connection, limit=12),
        "day": {
            "runs": sum(item["runs"] for item in workflows),
            "success": sum(item["success"] for item in workflows),
            "bad": sum(item["bad"] for item in workflows),
        },
    }


def workflow(connection: Connection, workflow_id: str) -> dict[str, Any] | None:
    row = connection.execute(
        select(t.workflows, t.projects.c.name.label("project_name"))
        .join(t.projects, t.projects.c.id == t.workflows.c.project_id)
        .where(t.workflows.c.id == workflow_id, t.workflows.c.deleted_at.is_(None))
    ).one_or_none()
    if row is None:
        return None
    parts = snapshot_parts(connection, newest_snapshot(connection, workflow_id))
    for trigger in parts["triggers"]:
        if trigger["type"] == "cron" and trigger["enabled"]:
            trigger["next_at"] = next_time(trigger["cron_expression"])
    return {
        "workflow": row,
        "parts": parts,
        "runs": run_rows(connection, limit=10, workflow_id=workflow_id),
    }


def run(connection: Connection, run_id: str, step_id: str | None = None) -> dict[str, Any] | None:
    """Everything on the page of one run but its log."""
    row = find_run(connection, run_id)
    if row is None:
        return None
    names = connection.execute(
        select(t.workflows.c.name, t.projects.c.name.label("project"))
        .join(t.projects, t.projects.c.id == t.workflows.c.project_id)
        .where(t.workflows.c.id == row.workflow_id)
    ).one()
    parts = snapshot_parts(connection, row.snapshot_id)
    jobs = {job["id"]: job for job in parts["jobs"]}
    found = steps.steps_of(connection, run_id)
    chosen = next((step for step in found if step.id == step_id), found[-1] if found else None)
    states = {s.job_id: STEP_STATES.get(s.exit_reason or "", "started") for s in found}
    return {
        "run": row,
        "workflow_name": names.name,
        "project_name": names.project,
        "parts": parts,
        "jobs": jobs,
        "steps": found,
        "chosen": chosen,
        "states": states,
        "final": row.state in FINAL,
        "notes": json.loads(row.notes or "[]"),
        "siblings": _siblings(connection, row),
    }


def _siblings(connection: Connection, run: Row[Any]) -> list[Row[Any]]:
    """All runs of the work order, oldest first."""
    return list(
        connection.execute(
            select(t.runs.c.id, t.runs.c.state, t.runs.c.inserted_at)
            .where(t.runs.c.work_order_id == run.work_order_id)
            .order_by(t.runs.c.inserted_at)
        )
    )


def log(connection: Connection, run_id: str, after: int = 0) -> list[Row[Any]]:
    return steps.log_lines(connection, run_id, after, LINES)

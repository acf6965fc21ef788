"""What the pages show, read from the database."""

from __future__ import annotations

import json
from typing import Any

from holdfast.model.outcome import RunState
from holdfast.platform.clock import SECOND, now
from holdfast.platform.start.cron import next_time
from holdfast.platform.store import lists, logs, queue, steps, workflows
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.store.runs import cancel_asked, run_to_show, runs_of_work_order
from holdfast.platform.store.snapshots import newest_snapshot, parts_of
from holdfast.platform.web.diagnosed import diagnosed
from holdfast.platform.web.examined import examined
from holdfast.platform.web.explain import STEP_STATES

PAGE = 25
#: What a page of a run has of it, in characters where nothing else is said.
LOG = logs.Wanted(lines=2000, each=4000, together=300_000)
STEPS = 500
_DAY = 24 * 3600 * SECOND


def workflow_rows(
    connection: Connection, visible: frozenset[str] | None = None
) -> list[dict[str, Any]]:
    """Workflows with what they did in the last day."""
    counts = workflows.runs_by_state(connection, now() - _DAY)
    return [
        {
            "id": row.id,
            "name": row.name,
            "project": row.project_name,
            "runs": sum(counts.get(row.id, {}).values()),
            "success": counts.get(row.id, {}).get("success", 0),
            "bad": sum(counts.get(row.id, {}).get(state, 0) for state in lists.UNSUCCESSFUL),
        }
        for row in workflows.all_workflows(connection, visible)
    ]


def overview(connection: Connection, visible: frozenset[str] | None) -> dict[str, Any]:
    rows = workflow_rows(connection, visible)
    return {
        "queue": queue.summary(connection, visible),
        "workflows": rows,
        "runs": lists.named_runs(connection, limit=12, visible=visible),
        "day": {
            "runs": sum(item["runs"] for item in rows),
            "success": sum(item["success"] for item in rows),
            "bad": sum(item["bad"] for item in rows),
        },
    }


def workflow(connection: Connection, workflow_id: str) -> dict[str, Any] | None:
    row = workflows.find_workflow(connection, workflow_id)
    if row is None:
        return None
    parts = parts_of(connection, newest_snapshot(connection, workflow_id))
    for trigger in parts["triggers"]:
        if trigger["type"] == "cron" and trigger["enabled"]:
            trigger["next_at"] = next_time(trigger["cron_expression"])
    return {
        "workflow": row,
        "parts": parts,
        "runs": lists.named_runs(connection, limit=10, workflow_id=workflow_id),
    }


def run(connection: Connection, run_id: str, step_id: str | None = None) -> dict[str, Any] | None:
    """Everything on the page of one run but its log."""
    row = run_to_show(connection, run_id)
    if row is None:
        return None
    names = workflows.names_of(connection, row.workflow_id)
    parts = parts_of(connection, row.snapshot_id)
    jobs = {job["id"]: job for job in parts["jobs"]}
    found = steps.steps_of(connection, run_id, STEPS)
    chosen = steps.find_step(connection, run_id, step_id) if step_id else None
    if chosen is None and found:
        chosen = found[-1]
    states = {s.job_id: STEP_STATES.get(s.exit_reason or "", "started") for s in found}
    return {
        "run": row,
        "workflow_name": names.name,
        "project_name": names.project_name,
        "parts": parts,
        "jobs": jobs,
        "steps": found,
        "chosen": chosen,
        "states": states,
        "final": RunState(row.state).final,
        "notes": json.loads(row.notes or "[]"),
        "cancelling": cancel_asked(row),
        "examined": examined(row.postmortem),
        "diagnosed": diagnosed(row.postmortem, row.state, row.error_type, row.error_message),
        "more_steps": len(found) == STEPS,
        "siblings": runs_of_work_order(connection, row.work_order_id),
    }


def log(connection: Connection, run_id: str, after: int = 0) -> list[Row]:
    return logs.lines(connection, run_id, after, LOG)

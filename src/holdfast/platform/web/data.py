"""What the pages show, read from the database."""

from __future__ import annotations

from typing import Any

from holdfast.model.outcome import RunState
from holdfast.platform.clock import SECOND, now
from holdfast.platform.store import catalog, lists, queue, steps, workflows
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.web.explain import error_words
from holdfast.platform.web.naming import plain_refusals

PAGE = 25
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
        "projects": catalog.all_projects(connection, visible),
        "runs": listed(connection, lists.named_runs(connection, limit=12, visible=visible)),
        "day": {
            "runs": sum(item["runs"] for item in rows),
            "success": sum(item["success"] for item in rows),
            "bad": sum(item["bad"] for item in rows),
        },
    }


def listed(connection: Connection, rows: list[Row]) -> list[dict[str, Any]]:
    """Runs as a list shows them: with what failed in them, and how many steps were handled."""
    failures = steps.failures_of(connection, [row.id for row in rows])
    return [
        {
            **row._mapping,
            "handled": failures.get(row.id, 0) if row.state == RunState.SUCCESS.value else 0,
            "cause": None
            if row.state == RunState.SUCCESS.value
            else plain_refusals(error_words(row.error_type, row.error_message)),
        }
        for row in rows
    ]

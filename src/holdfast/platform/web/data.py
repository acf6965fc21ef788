"""What the pages show, read from the database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from holdfast.model.outcome import RunState
from holdfast.platform.causes.naming import plain_refusals
from holdfast.platform.clock import SECOND, now
from holdfast.platform.store import catalog, history, queue, runs, search, steps, workflows
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.store.history import Filters, Wanted
from holdfast.platform.store.history_kinds import RUNS, WORK_ORDERS
from holdfast.platform.store.waits import Wait, waits
from holdfast.platform.web.explain import error_words
from holdfast.platform.web.waiting import wait_words

#: Rows of a page; steps of all attempts that one shows.
PAGE, _STEPS = 25, 500
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
            "project_id": row.project_id,
            "runs": sum(counts.get(row.id, {}).values()),
            "success": counts.get(row.id, {}).get("success", 0),
            "bad": sum(counts.get(row.id, {}).get(state, 0) for state in history.UNSUCCESSFUL),
        }
        for row in workflows.all_workflows(connection, visible)
    ]


def overview(connection: Connection, visible: frozenset[str] | None) -> dict[str, Any]:
    rows = workflow_rows(connection, visible)
    return {
        "queue": queue.summary(connection, visible),
        "workflows": rows,
        "projects": catalog.all_projects(connection, visible),
        "runs": newest(connection, Filters(visible=visible), 12),
        "day": {
            "runs": sum(item["runs"] for item in rows),
            "success": sum(item["success"] for item in rows),
            "bad": sum(item["bad"] for item in rows),
        },
    }


def newest(connection: Connection, filters: Filters, limit: int) -> list[dict[str, Any]]:
    """The newest runs that pass the filters."""
    return page_of_runs(connection, filters, Wanted(limit))[0]


Listed = list[dict[str, Any]]


def page_of_runs(
    connection: Connection, filters: Filters, wanted: Wanted
) -> tuple[Listed, str | None, str | None]:
    """A page of runs as a list shows them, and where older and newer ones are."""
    found = history.page(connection, RUNS, filters, wanted)
    return listed(connection, found.rows), *_places(found)


def _places(found: history.Page) -> tuple[str | None, str | None]:
    """Where older and newer rows are."""
    older, newer = found.older, found.newer
    return None if older is None else older.text, None if newer is None else newer.text


def searched(
    connection: Connection, words: str, filters: Filters, before: int | None
) -> tuple[Listed, str | None]:
    """Runs with these words, and where to go on."""
    found = search.find(connection, words, filters, before=before, limit=PAGE)
    rows = listed(connection, [one.run for one in found.found])
    for row, one in zip(rows, found.found, strict=True):
        row["lines"] = one.lines
    return rows, None if found.older is None else str(found.older)


def page_of_orders(
    connection: Connection, filters: Filters, wanted: Wanted
) -> tuple[Listed, str | None, str | None]:
    """A page of work orders with their runs, and where older and newer ones are."""
    found = history.page(connection, WORK_ORDERS, filters, wanted)
    return with_runs(connection, found.rows), *_places(found)


def searched_orders(
    connection: Connection, words: str, filters: Filters, before: int | None
) -> tuple[Listed, str | None]:
    """Work orders of which a run has these words, and where to go on."""
    of_runs = replace(filters, states=())  # a work order has states of its own
    found = search.find(connection, words, of_runs, before=before, limit=PAGE)
    ids = list(dict.fromkeys(one.run.work_order_id for one in found.found))
    if before is not None:  # an order stands where the newest of its runs was found
        shown = search.orders_before(connection, words, of_runs, ids, before)
        ids = [key for key in ids if key not in shown]
    rows = {row.id: row for row in history.whole(connection, WORK_ORDERS, ids)}
    states = filters.states
    kept = [rows[key] for key in ids if not states or rows[key].state in states]
    return with_runs(connection, kept), None if found.older is None else str(found.older)


def with_runs(connection: Connection, orders: list[Row]) -> list[dict[str, Any]]:
    """Work orders as a list shows them: each with its runs, the oldest first."""
    rows = runs.runs_of_work_orders(connection, [row.id for row in orders])
    failures = steps.failures_of(connection, [row.id for row in rows])
    waiting = waits(connection, rows, now())
    of: dict[str, list[dict[str, Any]]] = {row.id: [] for row in orders}
    for row in rows:
        handled = failures.get(row.id, 0) if row.state == RunState.SUCCESS.value else 0
        cause = _cause(row, waiting.get(row.id))
        of[row.work_order_id].append({**row._mapping, "cause": cause, "handled": handled})
    return [{**shown, "runs": of[shown["id"]]} for shown in history.named(connection, orders)]


def attempts(connection: Connection, work_order_id: str) -> list[dict[str, Any]]:
    """The newest runs of a work order, the oldest first; each with its steps, if there are two."""
    rows = runs.runs_of_work_orders(connection, [work_order_id])
    if len(rows) < 2:
        return []
    ids = [row.id for row in rows]
    failures, waiting = steps.failures_of(connection, ids), waits(connection, rows, now())
    of: dict[str, list[Row]] = {row.id: [] for row in rows}
    for step in steps.endings_of(connection, ids, _STEPS):
        of[step.run_id].append(step)
    return [
        {
            **row._mapping,
            "steps": of[row.id],
            "cause": _cause(row, waiting.get(row.id)),
            "handled": failures.get(row.id, 0) if row.state == RunState.SUCCESS.value else 0,
        }
        for row in rows
    ]


def listed(connection: Connection, rows: list[Row]) -> list[dict[str, Any]]:
    """Runs as a list shows them: what failed in them or why they wait, and how many steps were
    handled."""
    failures = steps.failures_of(connection, [row.id for row in rows])
    waiting = waits(connection, rows, now())
    return [
        {
            **shown,
            "handled": failures.get(row.id, 0) if row.state == RunState.SUCCESS.value else 0,
            "cause": _cause(row, waiting.get(row.id)),
        }
        for row, shown in zip(rows, history.named(connection, rows), strict=True)
    ]


def _cause(row: Row, wait: Wait | None) -> str | None:
    """Why it waits, or ended as it did."""
    if wait is not None:
        return wait_words(wait)[0]
    if row.state == RunState.SUCCESS.value:
        return None
    return plain_refusals(error_words(row.error_type, row.error_message))

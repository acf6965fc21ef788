"""Retry or cancel many runs of a project: begun, followed, stopped."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.model.json import JsonObject
from holdfast.platform.access import visit
from holdfast.platform.access.problems import AccessError
from holdfast.platform.api.accounts import project
from holdfast.platform.api.body import flag, object_of
from holdfast.platform.clock import iso, now
from holdfast.platform.service import Platform
from holdfast.platform.store import bulk, history
from holdfast.platform.store.database import Row, Transaction
from holdfast.platform.store.history_kinds import RUNS
from holdfast.platform.store.history_query import FILTERS, BadFilter

_TIMES = tuple(
    f"{time}_{side}" for time in ("inserted", "updated") for side in ("after", "before")
)
#: What a list of runs can be asked for, without its pages; the project is the path's.
_CHOOSE = frozenset({*FILTERS, *_TIMES}) - {"project_id"}


async def begin(request: Request) -> Response:
    """Retry or cancel the runs that filters choose: `{"action": "retry", "filters": {…}}`.

    The filters are those of a list of runs. Unless `state` is among them, `retry` is for
    unsuccessful runs and `cancel` for those that have not ended. Of a work order only the newest
    run is retried. It is stopped when whoever asked may no longer do it. `{"dry_run": true}` only
    counts.
    """
    platform: Platform = request.app.state.platform
    key, asked, who = await project(request), await object_of(request), visit.subject()
    action, query = _action(asked), _query(asked)
    try:
        filters = bulk.chosen(key, action, query, now())
    except BadFilter as error:
        raise AccessError(error.message) from error
    number = await platform.database.read(lambda c: history.count(c, RUNS, filters))
    dry = flag(asked, "dry_run")
    visit.note(action=action, runs=number.number, tried_only=dry or None)
    if dry:
        counted: JsonObject = {"total": number.number, "total_exact": number.exact}
        return JSONResponse({"data": counted, "dry_run": True})

    def work(tx: Transaction) -> Row | None:
        made = bulk.add(tx, key, action, query, number=number, by=who)
        return bulk.find(tx.connection, made)

    row = await platform.database.write(work)
    return JSONResponse({"data": _shown(row)}, 202)


async def listed(request: Request) -> Response:
    """Retries and cancellations of many runs, the newest first, with their progress."""
    platform: Platform = request.app.state.platform
    key = await project(request)
    rows = await platform.database.read(lambda c: bulk.of_project(c, key))
    return JSONResponse({"data": [_shown(row) for row in rows]})


async def show(request: Request) -> Response:
    """How far one of them is: `done`, `skipped` with the last reason, of `total`."""
    return JSONResponse({"data": _shown(await _found(request))})


async def stop(request: Request) -> Response:
    """Do no more of it. What is done stays done."""
    platform: Platform = request.app.state.platform
    row = await _found(request)
    await platform.database.write(lambda tx: bulk.end(tx, row.id, bulk.STOPPED))
    return JSONResponse({"data": _shown(await _found(request))})


async def _found(request: Request) -> Row:
    platform: Platform = request.app.state.platform
    key, mine = request.path_params["id"], await project(request)
    row = await platform.database.read(lambda c: bulk.find(c, key))
    if row is None or row.project_id != mine:
        message = "There is no such action."
        raise AccessError(message, 404)
    return row


def _action(asked: dict[str, Any]) -> str:
    action = asked.get("action")
    if not isinstance(action, str) or action not in bulk.ACTIONS:
        message = f"action must be one of {', '.join(bulk.ACTIONS)}"
        raise AccessError(message)
    return action


def _query(asked: dict[str, Any]) -> dict[str, str]:
    """The filters as a query has them. Raises AccessError."""
    filters = asked.get("filters", {})
    if not isinstance(filters, dict):
        message = "filters must be an object"
        raise AccessError(message)
    if unknown := set(filters) - _CHOOSE:
        message = f"filters: {min(unknown)!r} is none of {', '.join(sorted(_CHOOSE))}"
        raise AccessError(message)
    for name, value in filters.items():
        if isinstance(value, bool) or not isinstance(value, str | int):
            message = f"filters: {name} must be a text or a number"
            raise AccessError(message)
    return {name: str(value) for name, value in filters.items()}


def _shown(row: Row | None) -> JsonObject:
    assert row is not None
    return {
        "id": row.id,
        "action": row.action,
        "filters": json.loads(row.query),
        "created_by": row.created_by,
        "state": row.state,
        "total": row.total,
        "total_exact": row.total_exact,
        "done": row.done,
        "skipped": row.skipped,
        "problem": row.problem,
        "inserted_at": iso(row.inserted_at),
        "finished_at": iso(row.finished_at),
    }

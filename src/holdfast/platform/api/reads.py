"""What the API shows: runs, work orders, log lines, dataclips, queue, workers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Select, func, select
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.model.json import JsonObject
from holdfast.platform.api import views
from holdfast.platform.api.shape import BadFilter, Page, between, paged
from holdfast.platform.clock import SECOND, iso, now
from holdfast.platform.service import Platform
from holdfast.platform.store import steps
from holdfast.platform.store import tables as t
from holdfast.platform.store.runs import find_run
from holdfast.platform.web.display import clip_text

NOT_FOUND = {"error": "Not Found"}
_UNFINISHED = ("available", "claimed", "started")


async def runs(request: Request) -> Response:
    query = select(*t.LISTED_RUN).order_by(t.runs.c.inserted_at.desc(), t.runs.c.id)
    for name in ("state", "workflow_id", "work_order_id"):
        if (value := request.query_params.get(name)) is not None:
            query = query.where(t.runs.c[name] == value)
    return await _list(request, query, t.runs.c, views.run)


async def work_orders(request: Request) -> Response:
    query = select(t.work_orders).order_by(t.work_orders.c.inserted_at.desc())
    for name in ("state", "workflow_id"):
        if (value := request.query_params.get(name)) is not None:
            query = query.where(t.work_orders.c[name] == value)
    return await _list(request, query, t.work_orders.c, views.work_order)


async def _list(
    request: Request, query: Select[Any], columns: Any, view: Callable[[Any], JsonObject]
) -> Response:
    platform: Platform = request.app.state.platform
    project = request.path_params.get("project_id") or request.query_params.get("project_id")
    if project is not None:
        query = query.where(columns.project_id == project)
    updated = columns.get("last_activity", columns.get("last_event_at"))
    try:
        page = Page.of(request)
        query = between(query, request, {"inserted": columns.inserted_at, "updated": updated})
    except BadFilter as error:
        return JSONResponse({"error": error.message}, 422)
    rows, rest = await platform.database.read(lambda c: paged(c, query, page, request))
    return JSONResponse({"data": [view(row) for row in rows], **rest})


async def run(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    row = await platform.database.read(lambda c: find_run(c, request.path_params["id"]))
    if row is None:
        return JSONResponse(NOT_FOUND, 404)
    return JSONResponse({"data": views.run(row, whole=True)})


async def work_order(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    query = select(t.work_orders).where(t.work_orders.c.id == request.path_params["id"])
    row = await platform.database.read(lambda c: c.execute(query).one_or_none())
    if row is None:
        return JSONResponse(NOT_FOUND, 404)
    return JSONResponse({"data": views.work_order(row)})


async def run_steps(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    found = await platform.database.read(lambda c: step_views(c, request.path_params["id"]))
    if found is None:
        return JSONResponse(NOT_FOUND, 404)
    return JSONResponse({"data": found})


def step_views(connection: Connection, run_id: str) -> list[JsonObject] | None:
    """The steps of a run with their jobs' names; None: no such run."""
    if (row := find_run(connection, run_id)) is None:
        return None
    names = {job["id"]: job["name"] for job in snapshot_parts(connection, row.snapshot_id)["jobs"]}
    return [views.step(s, names.get(s.job_id)) for s in steps.steps_of(connection, run_id)]


def snapshot_parts(connection: Connection, snapshot_id: str) -> dict[str, Any]:
    body = connection.scalar(select(t.snapshots.c.body).where(t.snapshots.c.id == snapshot_id))
    parts: dict[str, Any] = json.loads(body or '{"jobs": [], "triggers": [], "edges": []}')
    return parts


async def log_lines(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    c = t.log_lines.c
    query = select(t.log_lines).order_by(c.id)
    parameters = request.query_params
    for name in ("run_id", "level", "step_id"):
        if (value := parameters.get(name)) is not None:
            query = query.where(c[name] == value)
    joined = {name: parameters[name] for name in ("project_id", "workflow_id", "work_order_id")
              if name in parameters}  # fmt: skip
    if joined:
        query = query.join(t.runs, t.runs.c.id == c.run_id)
        query = query.where(*(t.runs.c[name] == value for name, value in joined.items()))
    if (job := parameters.get("job_id")) is not None:
        query = query.join(t.steps, t.steps.c.id == c.step_id).where(t.steps.c.job_id == job)
    try:
        page = Page.of(request)
        query = between(query, request, {"timestamp": c.timestamp})
    except BadFilter as error:
        return JSONResponse({"error": error.message}, 422)
    rows, rest = await platform.database.read(lambda k: paged(k, query, page, request))
    return JSONResponse({"data": [views.log_line(row) for row in rows], **rest})


async def run_logs(request: Request) -> Response:
    """All lines of a run after a number, flat: for scripts and tests."""
    platform: Platform = request.app.state.platform
    after = request.query_params.get("after", "0")
    number = int(after) if after.isdigit() else 0
    lines = await platform.database.read(
        lambda c: steps.log_lines(c, request.path_params["id"], number, 5000)
    )
    data = [
        {
            "number": line.id,
            "timestamp": iso(line.timestamp),
            "level": line.level,
            "source": line.source,
            "message": line.message,
            "step_id": line.step_id,
        }
        for line in lines
    ]
    return JSONResponse({"data": data})


async def queue(request: Request) -> Response:
    """What waits and what is under way."""
    platform: Platform = request.app.state.platform
    return JSONResponse(await platform.database.read(queue_view))


def queue_view(connection: Connection) -> JsonObject:
    r = t.runs.c
    counts = select(
        r.state, r.queue, func.count().label("n"), func.min(r.inserted_at).label("oldest")
    ).group_by(r.state, r.queue)
    rows = [
        row
        for condition in (t.WAITING, t.UNDER_WAY)
        for row in connection.execute(counts.where(condition))
    ]
    waiting = [row for row in rows if row.state == "available"]
    oldest = min((row.oldest for row in waiting), default=None)
    return {
        **{state: sum(row.n for row in rows if row.state == state) for state in _UNFINISHED},
        "by_queue": {row.queue: row.n for row in waiting},
        "oldest_waiting_seconds": None if oldest is None else (now() - oldest) / SECOND,
    }


async def workers(request: Request) -> Response:
    """Connected workers first, then those that were seen before."""
    platform: Platform = request.app.state.platform
    return JSONResponse({"data": await worker_list(platform)})


async def worker_list(platform: Platform) -> list[JsonObject]:
    query = select(t.workers).order_by(t.workers.c.last_heartbeat_at.desc()).limit(50)
    rows = await platform.database.read(lambda c: list(c.execute(query)))
    open_runs = {c.worker_id: sorted(c.runs) for c in platform.workers if c.joined}
    found: list[JsonObject] = [
        {
            "id": row.id,
            "name": row.name,
            "version": row.version,
            "capacity": row.capacity,
            "queues": json.loads(row.queues),
            "connected": row.id in open_runs,
            "active_runs": list(open_runs.get(row.id, [])),
            "connected_at": iso(row.connected_at),
            "disconnected_at": iso(row.disconnected_at),
            "last_heartbeat_at": iso(row.last_heartbeat_at),
        }
        for row in rows
    ]
    return sorted(found, key=lambda worker: not worker["connected"])


async def dataclip_body(request: Request) -> Response:
    """The stored document, cleaned of the secrets its run has seen (4.7)."""
    platform: Platform = request.app.state.platform
    text = await clip_text(platform, request.path_params["id"])
    if text is None:
        return JSONResponse(NOT_FOUND, 404)
    return Response(text, media_type="application/json")

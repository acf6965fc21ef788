"""What people switch: workflows and the queue on and off; and when cron is due next."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.model.json import Json, JsonObject
from holdfast.platform.access import visit
from holdfast.platform.api.accounts import project
from holdfast.platform.clock import iso
from holdfast.platform.project.model import CRON_DEFAULTS
from holdfast.platform.service import Platform
from holdfast.platform.start.cron import next_times, schedule_of
from holdfast.platform.store import pauses, triggers
from holdfast.platform.store.database import Row
from holdfast.platform.store.history_query import BadFilter, whole_number
from holdfast.platform.store.queue import summary

_TIMES, _MOST_TIMES = 3, 100


async def pause_workflow(request: Request) -> Response:
    """Give no run of this workflow to a worker, and let its cron trigger rest.

    What a worker has goes on. New runs are accepted, and wait.
    """
    return await _switch(request, paused=True)


async def resume_workflow(request: Request) -> Response:
    """End the pause of a workflow. `cron_catch_up` says what happens to times that came in it."""
    return await _switch(request, paused=False)


async def _switch(request: Request, *, paused: bool) -> Response:
    platform: Platform = request.app.state.platform
    key, who = request.path_params["id"], visit.subject().name
    if paused:
        await platform.database.write(lambda tx: pauses.pause_workflow(tx, key, who))
    else:
        await platform.database.write(lambda tx: pauses.resume_workflow(tx, key))
    return JSONResponse({"data": {"id": key, "paused": paused}})


async def pause_queue(request: Request) -> Response:
    """Give no run to any worker. What a worker has goes on. New runs are accepted, and wait."""
    platform: Platform = request.app.state.platform
    who = visit.subject().name
    await platform.database.write(lambda tx: pauses.pause_queue(tx, who))
    return JSONResponse(await platform.database.read(summary))


async def resume_queue(request: Request) -> Response:
    """End the pause of the queue."""
    platform: Platform = request.app.state.platform
    await platform.database.write(pauses.resume_queue)
    return JSONResponse(await platform.database.read(summary))


async def schedule(request: Request) -> Response:
    """The enabled cron triggers of a project, with their next times. `count`: so many of each."""
    platform: Platform = request.app.state.platform
    try:
        given = request.query_params.get("count", str(_TIMES))
        count = whole_number(given, "count", least=1, most=_MOST_TIMES)
    except BadFilter as error:
        return JSONResponse({"error": error.message}, 422)
    key = await project(request)
    rows = await platform.database.read(lambda c: triggers.cron_triggers(c, key))
    return JSONResponse({"data": [_shown(row, count) for row in rows]})


def _shown(row: Row, count: int) -> JsonObject:
    times: list[Json] = [iso(time) for time in next_times(schedule_of(row), count)]
    return {
        "trigger_id": row.id,
        "workflow_id": row.workflow_id,
        "workflow": row.workflow_name,
        "cron_expression": row.cron_expression,
        **{name: getattr(row, name) or usual for name, usual in CRON_DEFAULTS.items()},
        "paused_at": iso(row.paused_at),
        "next_times": times,
    }

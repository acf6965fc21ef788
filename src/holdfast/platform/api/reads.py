"""What the API shows: runs, work orders, log lines, dataclips, queue, workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.model.json import JsonObject
from holdfast.platform.access import visit
from holdfast.platform.api import views
from holdfast.platform.api.shape import around, chosen_page
from holdfast.platform.clock import iso
from holdfast.platform.service import Platform
from holdfast.platform.start.repeats import repeats
from holdfast.platform.store import lists, logs, steps
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.store.dataclips import shown_text
from holdfast.platform.store.documents import find_project
from holdfast.platform.store.history_query import BadFilter, whole_number
from holdfast.platform.store.queue import summary
from holdfast.platform.store.runs import find_run, find_work_order, run_to_show
from holdfast.platform.store.snapshots import parts_of

NOT_FOUND = {"error": "Not Found"}
#: Of a run's log in one answer; a line is whole, however long it is.
_LOG = logs.Wanted(lines=5000, each=2**31 - 1, together=4_000_000)
_STEPS = 1000


async def log_lines(request: Request) -> Response:
    names = ("run_id", "level", "step_id", "project_id", "workflow_id", "work_order_id", "job_id")
    return await listed(request, lists.list_log_lines, views.log_line, names, ("timestamp",))


async def listed(
    request: Request,
    find: Callable[[Connection, lists.Chosen], lists.Listed],
    view: Callable[[Row], JsonObject],
    names: Iterable[str],
    times: Iterable[str],
) -> Response:
    """One page of a list, chosen by the query."""
    platform: Platform = request.app.state.platform
    asked = chosen_page(request, names, times)
    if isinstance(asked, Response):
        return asked
    page, wanted = asked
    found = await platform.database.read(lambda c: find(c, in_project(c, wanted)))
    rest = around(request, page, found.total)
    return JSONResponse({"data": [view(row) for row in found.rows], **rest})


def in_project(connection: Connection, wanted: lists.Chosen) -> lists.Chosen:
    """With the project's id where a path or a query has its name."""
    named = wanted.equal.get("project_id")
    if named is None or (key := find_project(connection, named)) is None:
        return wanted
    return replace(wanted, equal={**wanted.equal, "project_id": key})


async def run(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    row = await platform.database.read(lambda c: run_to_show(c, request.path_params["id"]))
    if row is None:
        return JSONResponse(NOT_FOUND, 404)
    return JSONResponse({"data": views.run(row, whole=True)})


async def work_order(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    row = await platform.database.read(lambda c: find_work_order(c, request.path_params["id"]))
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
    names = {job["id"]: job["name"] for job in parts_of(connection, row.snapshot_id)["jobs"]}
    return [views.step(s, names.get(s.job_id)) for s in steps.steps_of(connection, run_id, _STEPS)]


async def run_repeats(request: Request) -> Response:
    """What a retry would do again: its jobs, and the requests that they were seen to make.

    `step_id`: of a retry from this step. `requests` is null where the worker told of none to the
    platform: of runs that succeeded they stand in the worker's journal only.
    """
    platform: Platform = request.app.state.platform
    run_id, step_id = request.path_params["id"], request.query_params.get("step_id")
    found = await platform.database.read(lambda c: repeats(c, run_id, step_id))
    if found is None:
        return JSONResponse(NOT_FOUND, 404)
    jobs = [{"id": key, "name": name} for key, name in found.jobs.items()]
    told = {
        "jobs": jobs,
        "requests": found.requests,
        "left_out": found.left_out,
        "may_be_missing": found.may_be_missing,
    }
    return JSONResponse({"data": told})


async def run_logs(request: Request) -> Response:
    """Lines of a run after a number, flat and whole. Ask again after the last, until none come.

    Lines are numbered from 1. `limit`: so many lines at most. `meta.total`: lines that there are.
    """
    platform: Platform = request.app.state.platform
    try:
        after, limit = _place(request, _LOG.lines)
    except BadFilter as error:
        return JSONResponse({"error": error.message}, 422)
    key, wanted = request.path_params["id"], replace(_LOG, lines=limit)
    lines, total = await platform.database.read(
        lambda c: (logs.lines(c, key, after, wanted), logs.count(c, key))
    )
    data = [
        {
            "number": line.number,
            "timestamp": iso(line.timestamp),
            "level": line.level,
            "source": line.source,
            "message": line.message,
            "step_id": line.step_id,
        }
        for line in lines
    ]
    return JSONResponse({"data": data, "meta": {"total": total}})


async def search_logs(request: Request) -> Response:
    """Numbers of the lines of a run's log that have the text `q`, whatever its case.

    `limit`: so many at most. While `meta.searched_to` is a number, ask again `after` it.
    """
    platform: Platform = request.app.state.platform
    key, text = request.path_params["id"], request.query_params.get("q", "")
    try:
        after, limit = _place(request, 1000)
    except BadFilter as error:
        return JSONResponse({"error": error.message}, 422)
    if not text:
        return JSONResponse({"error": "q must be a text"}, 422)
    found = await platform.database.read(
        lambda c: logs.search(c, key, text, after=after, most=limit)
    )
    return JSONResponse({"data": found.numbers, "meta": {"searched_to": found.searched_to}})


def _place(request: Request, most: int) -> tuple[int, int]:
    """After which line, and how many. Raises BadFilter."""
    given = request.query_params
    after = whole_number(given.get("after", "0"), "after", most=2**31 - 1)
    return after, whole_number(given.get("limit", str(most)), "limit", least=1, most=most)


async def queue(request: Request) -> Response:
    """What waits and what is under way."""
    platform: Platform = request.app.state.platform
    visible = visit.subject().visible
    return JSONResponse(await platform.database.read(lambda c: summary(c, visible)))


async def workers(request: Request) -> Response:
    """Connected workers first, then those that were seen before."""
    platform: Platform = request.app.state.platform
    return JSONResponse({"data": await platform.known_workers(visit.subject().visible)})


async def dataclip_body(request: Request) -> Response:
    """The stored document, cleaned of the secrets its run has seen (4.7).

    `?as=state`: what a job gets of it, which for a webhook's body is `{"data", "request"}`.
    """
    platform: Platform = request.app.state.platform
    key = request.path_params["id"]
    keys, scrubbers = platform.keys, platform.scrubbers
    state = request.query_params.get("as") == "state"
    shown = await platform.database.read(
        lambda c: shown_text(c, keys, scrubbers, key, state=state)
    )
    if shown is None:
        return JSONResponse(NOT_FOUND, 404)
    return Response(shown.text, media_type="application/json")

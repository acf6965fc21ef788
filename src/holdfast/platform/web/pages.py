"""The pages. Each works without a script; with one, they stay up to date by themselves."""

from __future__ import annotations

import re
from typing import cast
from urllib.parse import urlencode

from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from holdfast.platform.access import visit
from holdfast.platform.access.policy import Action
from holdfast.platform.service import Platform
from holdfast.platform.store import pauses
from holdfast.platform.store.history import Filters, Wanted
from holdfast.platform.store.history_query import RUN_STATES, BadFilter, filters_of, page_of
from holdfast.platform.web import chosen, data, live, problems
from holdfast.platform.web.editpage import edit_routes
from holdfast.platform.web.flowpage import flow_routes
from holdfast.platform.web.manyruns import many_routes, startable
from holdfast.platform.web.newflow import new_routes
from holdfast.platform.web.render import FOLDER, page
from holdfast.platform.web.runpage import run_routes
from holdfast.platform.web.starters import STARTERS
from holdfast.platform.web.styleguide import styleguide_routes

_ID = re.compile(r"[0-9a-fA-F-]{1,36}")
#: What the page of runs can be asked for.
_FILTERS = ("state", "workflow_id", "q", "error_type", "worker", "inserted_after",
            "inserted_before", "min_duration_ms", "min_memory_mb")  # fmt: skip


def page_routes() -> list[BaseRoute]:
    """The web page, its live events and its static files."""
    return [
        Route("/", overview),
        Route("/events", live.overview_events),
        Route("/queue/pause", pause_queue, methods=["POST"]),
        Route("/queue/resume", resume_queue, methods=["POST"]),
        Route("/runs", runs),
        Route("/runs/chosen", chosen.act, methods=["POST"]),
        Route("/problems", problems.show),
        *run_routes(),
        *many_routes(),
        *styleguide_routes(),
        *flow_routes(),
        *edit_routes(),
        *new_routes(),
        Route("/workers", workers),
        Mount("/static", GZipMiddleware(StaticFiles(directory=FOLDER / "static"), 1000, 6)),
    ]


async def overview(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    visible = visit.subject().visible
    found = await platform.database.read(lambda c: data.overview(c, visible))
    known = await platform.known_workers(visible)
    connected = [worker for worker in known if worker["connected"]]
    capacity = sum(cast("int", worker["capacity"]) for worker in connected)
    found["projects"] = [p for p in found["projects"] if visit.may(Action.DEPLOY, p.id)]
    begins = visit.may(Action.CREATE)
    return page(
        "overview.html", **found, workers=connected, capacity=capacity, starters=STARTERS,
        begins=begins,
    )  # fmt: skip


async def pause_queue(request: Request) -> Response:
    """Give no run to any worker."""
    platform: Platform = request.app.state.platform
    who = visit.subject().name
    await platform.database.write(lambda tx: pauses.pause_queue(tx, who))
    return RedirectResponse("/", 303)


async def resume_queue(request: Request) -> Response:
    """End the pause of the queue."""
    platform: Platform = request.app.state.platform
    await platform.database.write(pauses.resume_queue)
    return RedirectResponse("/", 303)


async def workers(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    secret = platform.settings.data / "keys" / "worker-secret"
    url = f"ws{str(request.base_url).removeprefix('http')}worker"
    known = await platform.known_workers(visit.subject().visible)
    return page("workers.html", workers=known, url=url, secret=secret)


async def runs(request: Request) -> Response:
    """Runs, newest first, chosen as in the API; `q`: the beginning of an id, or words."""
    platform: Platform = request.app.state.platform
    asked, visible = dict(request.query_params), visit.subject().visible
    shown = {name: asked[name] for name in _FILTERS if asked.get(name)}
    text = shown.get("q", "").strip()
    words = text if text and not _ID.fullmatch(text) else None
    given = shown if words else {**shown, "id_begins": text}
    try:
        filters = filters_of(given, RUN_STATES, visible)
        wanted = Wanted(data.PAGE) if words else page_of(asked, data.PAGE)
        problem = None
    except BadFilter as error:
        filters, wanted, problem = Filters(visible=visible), Wanted(data.PAGE), error.message
    if words and problem is None:
        older = asked.get("after", "")
        before = int(older) if older.isascii() and older.isdigit() and len(older) < 19 else None
        rows, after = await platform.database.read(
            lambda c: data.searched(c, words, filters, before)
        )
        newer = None
    else:
        rows, after, newer = await platform.database.read(
            lambda c: data.page_of_runs(c, filters, wanted)
        )
    known = await platform.database.read(lambda c: data.workflow_rows(c, visible))
    projects = await startable(platform)
    rows = [] if problem else rows
    return page(
        "runs.html",
        status=422 if problem else 200,
        runs=rows,
        startable=projects,
        matching=None if words or problem else _for_many(shown, text),
        project_of_filter={w["id"]: w["project_id"] for w in known}.get(filters.workflow_id),
        told=chosen.Told.read(asked.get("told", "")),
        address=chosen.address_of(request),
        problem=problem,
        older=after,
        newer=newer,
        searched=words is not None,
        filters=dict.fromkeys(_FILTERS) | shown,
        kept=urlencode(shown),
        states=("unsuccessful", *RUN_STATES),
        workflows=known,
    )


def _for_many(shown: dict[str, str], begins: str) -> dict[str, str]:
    """The filters of the list as `manyruns` takes them."""
    found = {name: value for name, value in shown.items() if name != "q"}
    return found | ({"id_begins": begins} if begins else {})

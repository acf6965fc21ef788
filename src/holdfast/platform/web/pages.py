"""The pages. Each works without a script; with one, they stay up to date by themselves."""

from __future__ import annotations

from typing import cast

from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from holdfast.platform.access import visit
from holdfast.platform.access.policy import Action
from holdfast.platform.service import Platform
from holdfast.platform.store import pauses
from holdfast.platform.web import chosen, data, live, problems
from holdfast.platform.web.collectionpage import collection_page_routes
from holdfast.platform.web.editpage import edit_routes
from holdfast.platform.web.flowpage import flow_routes
from holdfast.platform.web.instance import instance_routes
from holdfast.platform.web.keeping import keeping_routes
from holdfast.platform.web.lists import list_routes
from holdfast.platform.web.manyruns import many_routes
from holdfast.platform.web.newflow import new_routes
from holdfast.platform.web.projectfile import project_file_routes
from holdfast.platform.web.render import FOLDER, page
from holdfast.platform.web.runpage import run_routes
from holdfast.platform.web.savedviews import view_routes
from holdfast.platform.web.starters import STARTERS
from holdfast.platform.web.styleguide import styleguide_routes


def page_routes() -> list[BaseRoute]:
    """The web page, its live events and its static files."""
    return [
        Route("/", overview),
        Route("/events", live.overview_events),
        Route("/queue/pause", pause_queue, methods=["POST"]),
        Route("/queue/resume", resume_queue, methods=["POST"]),
        *list_routes(),
        *view_routes(),
        *collection_page_routes(),
        *keeping_routes(),
        *instance_routes(),
        Route("/runs/chosen", chosen.act, methods=["POST"]),
        Route("/problems", problems.show),
        *run_routes(),
        *many_routes(),
        *styleguide_routes(),
        *flow_routes(),
        *edit_routes(),
        *new_routes(),
        *project_file_routes(),
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

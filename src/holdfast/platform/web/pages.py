"""The pages. Each works without a script; with one, they stay up to date by themselves."""

from __future__ import annotations

from typing import cast
from urllib.parse import urlencode

from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from holdfast.platform.access import visit
from holdfast.platform.access.policy import Action
from holdfast.platform.service import Platform
from holdfast.platform.store import lists
from holdfast.platform.web import data, live
from holdfast.platform.web.editpage import edit_routes
from holdfast.platform.web.flowpage import flow_routes
from holdfast.platform.web.render import FOLDER, page
from holdfast.platform.web.runpage import run_routes
from holdfast.platform.web.styleguide import styleguide_routes

_STATES = (
    "unsuccessful", "available", "claimed", "started", "success", "failed", "crashed", "killed",
    "exception", "cancelled", "lost",
)  # fmt: skip


def page_routes() -> list[BaseRoute]:
    """The web page, its live events and its static files."""
    return [
        Route("/", overview),
        Route("/events", live.overview_events),
        Route("/runs", runs),
        *run_routes(),
        *styleguide_routes(),
        *flow_routes(),
        *edit_routes(),
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
    return page("overview.html", **found, workers=connected, capacity=capacity)


async def workers(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    secret = platform.settings.data / "keys" / "worker-secret"
    url = f"ws{str(request.base_url).removeprefix('http')}worker"
    known = await platform.known_workers(visit.subject().visible)
    return page("workers.html", workers=known, url=url, secret=secret)


async def runs(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    asked, visible = request.query_params, visit.subject().visible
    filters = {name: asked.get(name) or None for name in ("state", "workflow_id", "q")}
    text = asked.get("page", "1")
    number = int(text) if text.isascii() and text.isdigit() and 0 < int(text) < 10**6 else 1
    rows = await platform.database.read(
        lambda c: data.listed(
            c,
            lists.named_runs(
                c, limit=data.PAGE + 1, offset=(number - 1) * data.PAGE, visible=visible, **filters
            ),
        )
    )
    known = await platform.database.read(lambda c: data.workflow_rows(c, visible))
    kept = urlencode({name: value for name, value in filters.items() if value})
    return page(
        "runs.html",
        runs=rows[: data.PAGE],
        more=len(rows) > data.PAGE,
        number=number,
        filters=filters,
        kept=kept,
        states=_STATES,
        workflows=known,
    )

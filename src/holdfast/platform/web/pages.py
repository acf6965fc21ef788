"""The pages. Each works without a script; with one, they stay up to date by themselves."""

from __future__ import annotations

from typing import cast
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from holdfast.model.request_body import parse_request
from holdfast.platform.access import visit
from holdfast.platform.service import Platform
from holdfast.platform.start.actions import ActionError, start_run
from holdfast.platform.store import dataclips, lists, workflows
from holdfast.platform.store.database import Connection
from holdfast.platform.web import data, live
from holdfast.platform.web.graph import layout
from holdfast.platform.web.render import FOLDER, SHOWN, message, page, pretty
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
        Route("/workflows/{id}", workflow),
        Route("/workflows/{id}/run", start, methods=["POST"]),
        Route("/workers", workers),
        Mount("/static", StaticFiles(directory=FOLDER / "static")),
    ]


async def overview(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    visible = visit.subject().visible
    found = await platform.database.read(lambda c: data.overview(c, visible))
    known = await platform.known_workers(visible)
    connected = [worker for worker in known if worker["connected"]]
    capacity = sum(cast("int", worker["capacity"]) for worker in connected)
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


async def workflow(request: Request) -> Response:
    """A workflow as it is now. `?input=` brings a document into the form that starts a run."""
    platform: Platform = request.app.state.platform
    key, clip_id = request.path_params["id"], request.query_params.get("input")
    text = await platform.database.read(lambda c: _input(platform, c, key, clip_id))
    return await _workflow_page(request, platform, text=text or "{}")


def _input(
    platform: Platform, connection: Connection, workflow_id: str, clip_id: str | None
) -> str | None:
    """The whole state of a document of the workflow's project; None: it cannot be edited here."""
    found = workflows.find_workflow(connection, workflow_id)
    clip = dataclips.find_clip(connection, clip_id) if clip_id else None
    if found is None or clip is None or clip.project_id != found.project_id:
        return None
    shown = dataclips.shown_text(
        connection, platform.keys, platform.scrubbers, clip.id, most=SHOWN, state=True
    )
    return None if shown is None or shown.cut else pretty(shown.text)


async def _workflow_page(
    request: Request, platform: Platform, error: str | None = None, text: str = "{}"
) -> Response:
    key = request.path_params["id"]
    found = await platform.database.read(lambda c: data.workflow(c, key))
    if found is None:
        return _missing("There is no such workflow.")
    return page(
        "workflow.html",
        status=422 if error else 200,
        **found,
        graph=layout(
            found["parts"], links={j["id"]: f"#job-{j['id']}" for j in found["parts"]["jobs"]}
        ),
        base=str(platform.settings.public_url or request.base_url).rstrip("/"),
        error=error,
        input_text=text,
    )


async def start(request: Request) -> Response:
    """The form on the workflow's page: run it now with this input."""
    platform, who = request.app.state.platform, visit.subject().name
    async with request.form() as form:
        text = str(form.get("input") or "{}")
    try:
        body = parse_request(text, document=True)
    except ValueError as error:
        return await _workflow_page(request, platform, f"The input is not JSON: {error}", text)
    try:
        created = await platform.database.write(
            lambda tx: start_run(
                tx, platform.settings, request.path_params["id"], body=body, by=who
            )
        )
    except ActionError as error:
        return await _workflow_page(request, platform, error.message, text)
    return RedirectResponse(f"/runs/{created.run_id}", 303)


def _missing(text: str) -> Response:
    return message(404, "Not found", text)

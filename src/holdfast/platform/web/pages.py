"""The pages. Each works without a script; with one, they stay up to date by themselves."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from holdfast.model.request_body import parse_request
from holdfast.platform.access import visit
from holdfast.platform.service import Platform
from holdfast.platform.start.actions import ActionError, cancel, retry, start_run
from holdfast.platform.store import lists
from holdfast.platform.store.database import Connection
from holdfast.platform.store.dataclips import shown_text
from holdfast.platform.web import data, live
from holdfast.platform.web.explain import explain
from holdfast.platform.web.graph import layout
from holdfast.platform.web.render import FOLDER, SHOWN, message, page, pretty

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
        Route("/runs/{id}", run),
        Route("/runs/{id}/events", live.run_events),
        Route("/runs/{id}/retry", retry_run, methods=["POST"]),
        Route("/runs/{id}/cancel", cancel_run, methods=["POST"]),
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
    return page("overview.html", **found, workers=connected, capacity=platform.workers.capacity)


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
        lambda c: lists.named_runs(
            c, limit=data.PAGE + 1, offset=(number - 1) * data.PAGE, visible=visible, **filters
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


async def run(request: Request) -> Response:
    """One run. `?step=` chooses the step that is shown; `?part=live` is for updates."""
    platform: Platform = request.app.state.platform
    key, step = request.path_params["id"], request.query_params.get("step")
    found = await platform.database.read(lambda c: data.run(c, key, step))
    if found is None:
        return _missing("There is no such run.")
    chosen, row = found["chosen"], found["run"]
    input_id = chosen.input_dataclip_id if chosen is not None else row.dataclip_id
    output_id = chosen.output_dataclip_id if chosen is not None else row.final_dataclip_id
    values: dict[str, Any] = {
        **found,
        "chosen_given": step is not None,
        "worker_gone": row.worker_id is not None
        and not found["final"]
        and not platform.workers.is_connected(row.worker_id),
        "silence_seconds": platform.settings.silence_seconds,
        "explanation": explain(row.state, row.error_type),
        "graph": layout(found["parts"], found["states"]),
        "input_id": input_id,
        "output_id": output_id,
        "input": await _shown(platform, input_id),
        "output": await _shown(platform, output_id),
    }
    if request.query_params.get("part") == "live":
        return page("run_live.html", **values)
    lines = await platform.database.read(lambda c: data.log(c, key))
    return page("run.html", **values, lines=lines, last=lines[-1].number if lines else 0)


async def _shown(platform: Platform, clip_id: str | None) -> str | None:
    if clip_id is None:
        return None

    def read(connection: Connection) -> str | None:
        """All of the work is done here, as this is not the event loop's thread."""
        keys, scrubbers = platform.keys, platform.scrubbers
        shown = shown_text(connection, keys, scrubbers, clip_id, most=SHOWN)
        return None if shown is None else pretty(shown.text, cut=shown.cut)

    return await platform.database.read(read)


async def workflow(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    return await _workflow_page(request, platform)


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
        graph=layout(found["parts"]),
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


async def retry_run(request: Request) -> Response:
    platform, who = request.app.state.platform, visit.subject().name
    async with request.form() as form:
        step = str(form.get("step_id") or "") or None
    try:
        created = await platform.database.write(
            lambda tx: retry(tx, platform.settings, request.path_params["id"], step, by=who)
        )
    except ActionError as error:
        return message(error.status, "Not retried", error.message)
    return RedirectResponse(f"/runs/{created.run_id}", 303)


async def cancel_run(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    key = request.path_params["id"]
    try:
        await platform.database.write(lambda tx: cancel(tx, key, by=visit.subject().name))
    except ActionError as error:
        return message(error.status, "Not cancelled", error.message)
    return RedirectResponse(f"/runs/{key}", 303)


def _missing(text: str) -> Response:
    return message(404, "Not found", text)

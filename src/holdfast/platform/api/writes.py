"""What the API changes: start, retry and cancel runs; make login links."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.platform.access import visit
from holdfast.platform.access.guard import SESSION
from holdfast.platform.access.problems import AccessError
from holdfast.platform.access.sessions import LINK_SECONDS
from holdfast.platform.api.body import object_of
from holdfast.platform.service import Platform
from holdfast.platform.start.actions import cancel, retry, start_run
from holdfast.platform.store.runs import Created


async def run_workflow(request: Request) -> Response:
    """`POST /api/workflows/:id/runs` with `{"input"?, "dataclip_id"?, "job_id"?}`."""
    platform: Platform = request.app.state.platform
    who = visit.subject().name
    asked = await object_of(request, document=True)
    created = await platform.database.write(
        lambda tx: start_run(
            tx,
            platform.settings,
            request.path_params["id"],
            body=asked.get("input"),
            dataclip_id=_id(asked, "dataclip_id"),
            job_id=_id(asked, "job_id"),
            by=who,
        )
    )
    return _created(created)


async def retry_run(request: Request) -> Response:
    """`POST /api/runs/:id/retry` with `{"step_id"?}`."""
    platform: Platform = request.app.state.platform
    who = visit.subject().name
    step = _id(await object_of(request), "step_id")
    created = await platform.database.write(
        lambda tx: retry(tx, platform.settings, request.path_params["id"], step, by=who)
    )
    return _created(created)


async def cancel_run(request: Request) -> Response:
    """`POST /api/runs/:id/cancel`: 200 when it has ended so, 202 when its worker is asked to."""
    platform: Platform = request.app.state.platform
    work = partial(cancel, run_id=request.path_params["id"], by=visit.subject().name)
    ended = await platform.database.write(work)
    return JSONResponse(
        {"state": "cancelled"} if ended else {"state": "cancelling"}, 200 if ended else 202
    )


async def session_link(request: Request) -> Response:
    """`POST /api/session_links`: a path that logs a browser in, once, within ten minutes."""
    platform: Platform = request.app.state.platform
    user_id = visit.subject().user_id
    assert user_id is not None  # the door asks for an account
    code = await platform.sessions.link(user_id)
    body = {"path": f"{SESSION}{code}", "expires_in_seconds": LINK_SECONDS}
    return JSONResponse(body, 201, {"cache-control": "no-store"})


def _id(asked: dict[str, Any], name: str) -> str | None:
    """An id that may be left out. Raises AccessError."""
    value = asked.get(name)
    if value is not None and not isinstance(value, str):
        message = f"{name} must be text."
        raise AccessError(message)
    return value


def _created(created: Created) -> Response:
    visit.note(run=created.run_id)
    body = {"work_order_id": created.work_order_id, "run_id": created.run_id}
    return JSONResponse(body, 201, {"location": f"/api/runs/{created.run_id}"})

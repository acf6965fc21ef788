"""Webhooks: `POST /i/<path>` makes a work order and a run (`docs/spec/platform.md` 5.1 to 5.3).

The request is answered after the commit: whoever got 200 can rely on the run. A trigger with
`after_completion` is answered when its run has ended, whatever the end.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from holdfast.model.json import Json, nests_deeper
from holdfast.model.outcome import RunState
from holdfast.model.redaction import redacted_headers, redacted_query
from holdfast.platform.clock import iso
from holdfast.platform.service import Platform
from holdfast.platform.start.admission import NOT_FOUND, Options, admit, idempotency_key
from holdfast.platform.start.intake import Intake, Path, take_in
from holdfast.platform.start.payload import Rejected, body_of
from holdfast.platform.store import dataclips, idempotency
from holdfast.platform.store.credentials import run_scrubber
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.store.notice import Notice
from holdfast.platform.store.runs import Created, find_run
from holdfast.platform.store.triggers import find_webhook


class ChangedError(Exception):
    """The trigger is another than the one that the request was admitted by."""


async def webhook(request: Request) -> Response:
    """POST starts a run, and GET where the trigger says so; else GET tells that it exists."""
    platform: Platform = request.app.state.platform
    path = tuple(part for part in request.path_params["path"].split("/") if part)
    while True:
        try:
            return await _webhook(request, platform, path)
        except ChangedError:  # since it was found: it is looked for anew
            platform.hooks.forget(path)


async def _webhook(request: Request, platform: Platform, path: Path) -> Response:
    """Raises ChangedError."""
    trigger = platform.hooks.fresh(path) if request.method == "POST" else None
    if trigger is None:
        trigger = await platform.database.read(lambda c: find_webhook(c, path))
    options = Options.of(None if trigger is None else trigger.webhook_access)
    sharing = options.sharing(request.headers.get("origin"))
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=sharing)
    try:
        answer = await _answer(request, platform, trigger, options, path)
    except Rejected as rejected:
        answer = rejected.response
    except ClientDisconnect:
        return Response(status_code=400)
    if sharing:
        answer.headers.update(sharing)
    return answer


async def _answer(
    request: Request, platform: Platform, trigger: Row | None, options: Options, path: Path
) -> Response:
    """Raises Rejected, ClientDisconnect, ChangedError."""
    if trigger is None:
        return JSONResponse(NOT_FOUND, 404)
    key = idempotency_key(request)
    starts = request.method in options.methods
    await admit(request, platform, trigger, options, reads_body=starts)
    if request.method == "GET" and not starts:
        return JSONResponse({"message": "This trigger exists. POST to it to start a run."})
    if not starts:
        allowed = {"allow": ", ".join(options.methods)}
        return JSONResponse({"error": "method_not_allowed"}, 405, allowed)
    if not trigger.enabled:
        text = "This trigger is disabled: enable it and deploy the project again."
        return JSONResponse({"error": "trigger_disabled", "message": text}, 403)
    body = await body_of(request, platform.settings.payload_bytes)
    record = _request_record(request, path)
    return await _start(platform, Intake(path, trigger, body, record, key, platform.settings))


async def _create(platform: Platform, intake: Intake) -> Created:
    """Once more where another process was quicker with the same key: its work order is found.

    Raises ChangedError.
    """
    try:
        created = await platform.database.write_together(take_in, intake)
    except idempotency.TakenError:
        created = await platform.database.write_together(take_in, intake)
    if created is None:
        raise ChangedError
    platform.hooks.keep(intake.path, intake.trigger)
    return created


async def _start(platform: Platform, intake: Intake) -> Response:
    """Raises ChangedError."""
    trigger = intake.trigger
    if trigger.webhook_reply != "after_completion":
        created = await _create(platform, intake)
        answer = json.dumps({"work_order_id": created.work_order_id, "run_id": created.run_id})
        return Response(answer, headers=_headers(created), media_type="application/json")
    if not platform.waiting.has_room(trigger.id):
        text = "Too many requests wait for their runs. Try again in a moment."
        return JSONResponse({"error": "busy", "message": text}, 503, {"retry-after": "5"})
    # before the run exists, to miss nothing
    with platform.waiting.take(trigger.id), platform.hub.watch("runs") as notices:
        created = await _create(platform, intake)
        limit = platform.settings.webhook_timeout_seconds
        try:
            async with asyncio.timeout(limit):
                if not await _wait_for_end(
                    platform, notices, created, look=intake.key is not None
                ):
                    return _stopping(created)
        except TimeoutError:
            return _timed_out(created, limit)
    return await platform.database.read(lambda c: _completed(platform, c, trigger, created))


async def _wait_for_end(
    platform: Platform, notices: asyncio.Queue[Notice], created: Created, *, look: bool
) -> bool:
    """Whether the run has ended; False when the platform ends before it.

    `look`: it may be an older run, which has ended already.
    """
    if look and await _ended(platform, created.run_id):
        return True
    while True:
        notice = await notices.get()
        if notice.what == "closing":
            return False
        ended = RunState(notice.data.get("state", "started")).final
        if notice.data.get("run_id") == created.run_id and ended:
            return True
        if notice.what == "missed" and await _ended(platform, created.run_id):
            return True


async def _ended(platform: Platform, run_id: str) -> bool:
    run = await platform.database.read(lambda c: find_run(c, run_id))
    return run is not None and RunState(run.state).final


def _stopping(created: Created) -> Response:
    body = {
        "error": "stopping",
        "message": "The platform is being restarted. The run goes on.",
        "work_order_id": created.work_order_id,
    }
    return JSONResponse(body, 503, headers={**_headers(created), "retry-after": "5"})


def _timed_out(created: Created, limit: float) -> Response:
    body = {
        "error": "timeout",
        "message": f"The run has not ended within {limit:g} s. It goes on.",
        "work_order_id": created.work_order_id,
    }
    return JSONResponse(body, 504, headers=_headers(created))


def _completed(
    platform: Platform, connection: Connection, trigger: Row, created: Created
) -> Response:
    """The envelope of a run that has ended; the job may set status and body.

    The caller is a stranger: secrets that the run had are replaced.
    """
    run = find_run(connection, created.run_id)
    assert run is not None
    good = run.state == RunState.SUCCESS.value
    codes = json.loads(trigger.webhook_response_config or "{}")
    status = codes.get("success_code" if good else "error_code") or 201
    data: Json = {"message": f"Run ended with status: {run.state}", "status": run.state}
    if good:
        text = dataclips.state_text(connection, run.final_dataclip_id)
        # A deeper one we could not write into the answer: it can be had from the API.
        data = data if nests_deeper(text) else json.loads(text)
    asked = json.loads(run.webhook_response or "null")
    if isinstance(asked, dict):
        status, data = _asked(asked, status, data)
    if status in {204, 304}:
        return Response(status_code=status, headers=_headers(created))
    scrubber = run_scrubber(connection, platform.keys, platform.scrubbers, created.run_id)
    meta = {
        "work_order_id": created.work_order_id,
        "run_id": created.run_id,
        "state": run.state,
        "error_type": run.error_type,
        **{
            name: iso(getattr(run, name))
            for name in ("inserted_at", "claimed_at", "started_at", "finished_at")
        },
    }
    cleaned = scrubber.clean_value(data)
    return JSONResponse({"data": cleaned, "meta": meta}, status, headers=_headers(created))


def _asked(asked: Mapping[str, Any], status: int, data: Json) -> tuple[int, Json]:
    """`state.webhookResponse`; what is malformed is explained instead of obeyed."""
    wanted, body = asked.get("status"), asked.get("body")
    if wanted is not None:
        if isinstance(wanted, bool) or not isinstance(wanted, int) or not 200 <= wanted <= 599:
            return status, {"message": "webhookResponse.status must be a number from 200 to 599"}
        status = wanted
    if body is not None:
        if not isinstance(body, dict):
            return status, {"message": "webhookResponse.body must be an object"}
        data = body
    return status, data


def _headers(created: Created) -> dict[str, str]:
    return {"x-meta-work-order-id": created.work_order_id, "x-meta-run-id": created.run_id}


def _request_record(request: Request, path: Path) -> str:
    """What is kept of the request itself."""
    return json.dumps(
        {
            "method": request.method,
            "path": ["i", *path],
            "query_params": redacted_query(request.query_params.items())
            if request.scope["query_string"]
            else {},
            "headers": redacted_headers(request.headers.items()),
        }
    )

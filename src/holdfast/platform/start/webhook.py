"""Webhooks: `POST /i/<path>` makes a work order and a run (`docs/spec/platform.md` 5.1 to 5.3).

The request is answered after the commit: whoever got 200 can rely on the run. A trigger with
`after_completion` is answered when its run has ended, whatever the end.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from holdfast.model.json import Json, nests_deeper, parse_document
from holdfast.model.outcome import RunState
from holdfast.platform.clock import iso
from holdfast.platform.service import Platform
from holdfast.platform.store import dataclips
from holdfast.platform.store.credentials import run_scrubber
from holdfast.platform.store.database import Connection, Row, Transaction
from holdfast.platform.store.runs import Created, Start, create_work_order, find_run
from holdfast.platform.store.triggers import find_webhook

#: Headers that carry secrets are not stored with the request.
_SECRET_HEADERS = frozenset({"authorization", "x-api-key", "cookie", "proxy-authorization"})
_NOT_FOUND = {"error": "Webhook not found"}


class _Rejected(Exception):  # noqa: N818 - said of the request
    """The request cannot be taken; the response says why."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(status)
        self.response = JSONResponse(body, status)


async def webhook(request: Request) -> Response:
    """GET tells that the trigger exists; POST starts a run."""
    platform: Platform = request.app.state.platform
    path = [part for part in request.path_params["path"].split("/") if part]
    trigger = await platform.database.read(lambda c: find_webhook(c, path))
    if trigger is None:
        return JSONResponse(_NOT_FOUND, 404)
    if request.method == "GET":
        return JSONResponse({"message": "This trigger exists. POST to it to start a run."})
    if not trigger.enabled:
        text = "This trigger is disabled: enable it and deploy the project again."
        return JSONResponse({"error": "trigger_disabled", "message": text}, 403)
    try:
        body = await _body(request, platform.settings.payload_bytes)
    except _Rejected as rejected:
        return rejected.response
    except ClientDisconnect:
        return Response(status_code=400)
    return await _start(platform, trigger, body, _request_record(request, path))


async def _start(platform: Platform, trigger: Row, body: str, record: str) -> Response:
    sync = trigger.webhook_reply == "after_completion"
    queue = "fast_lane" if sync else "default"

    def create(tx: Transaction) -> Created:
        clip = dataclips.insert_clip(
            tx, project_id=trigger.project_id, kind="http_request", body=body, request=record
        )
        start = Start(trigger.workflow_id, clip, trigger_id=trigger.id, queue=queue)
        return create_work_order(tx, start, platform.settings)

    if not sync:
        created = await platform.database.write(create)
        answer = {"work_order_id": created.work_order_id, "run_id": created.run_id}
        return JSONResponse(answer, headers=_headers(created))
    if not platform.waiting.has_room(trigger.id):
        text = "Too many requests wait for their runs. Try again in a moment."
        return JSONResponse({"error": "busy", "message": text}, 503, {"retry-after": "5"})
    # before the run exists, to miss nothing
    with platform.waiting.take(trigger.id), platform.hub.watch("runs") as notices:
        created = await platform.database.write(create)
        limit = platform.settings.webhook_timeout_seconds
        try:
            async with asyncio.timeout(limit):
                while True:
                    notice = await notices.get()
                    if notice.what == "closing":
                        return _stopping(created)
                    ended = RunState(notice.data.get("state", "started")).final
                    if notice.data.get("run_id") == created.run_id and ended:
                        break
                    if notice.what == "missed" and await _ended(platform, created.run_id):
                        break
        except TimeoutError:
            return _timed_out(created, limit)
    return await platform.database.read(lambda c: _completed(platform, c, trigger, created))


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


async def _body(request: Request, limit: int) -> str:
    """The payload as JSON text. Raises _Rejected."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        await _read(request, limit)
        async with request.form(max_part_size=limit) as form:
            fields = {
                key: value.filename if isinstance(value, UploadFile) else value
                for key, value in form.multi_items()
            }
        return json.dumps(fields, ensure_ascii=False)
    raw = await _read(request, limit)
    if not raw:
        return "{}"
    if kind != "application/json" and not kind.endswith("+json"):
        text = f"Content-Type {kind or '(none)'} is not supported: send application/json."
        raise _Rejected(415, {"error": "unsupported_media_type", "message": text})
    return _json_text(raw)


def _json_text(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig")
        value = parse_document(text)
    except ValueError as error:
        message = f"The body is not JSON: {error}"
        raise _Rejected(400, {"error": "bad_json", "message": message}) from error
    if isinstance(value, dict) and "configuration" not in value:
        return text
    if isinstance(value, dict):
        return dataclips.object_text(text)[0]
    return f'{{"_json":{text}}}'


async def _read(request: Request, limit: int) -> bytes:
    """The body, read piece by piece so that a large one is refused early."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            megabytes = limit / (1024 * 1024)
            text = f"The body is larger than {megabytes:g} MB."
            raise _Rejected(413, {"error": "payload_too_large", "message": text})
        parts.append(part)
    body = b"".join(parts)
    request._body = body
    return body


def _request_record(request: Request, path: list[str]) -> str:
    """What is kept of the request itself."""
    headers = {
        name: "[REDACTED]" if name in _SECRET_HEADERS else value
        for name, value in request.headers.items()
    }
    return json.dumps(
        {
            "method": request.method,
            "path": ["i", *path],
            "query_params": dict(request.query_params),
            "headers": headers,
        }
    )

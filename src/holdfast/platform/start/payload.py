"""What a webhook's request brings: its body as JSON text, of a bounded size."""

from __future__ import annotations

import json

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse

from holdfast.model.json import Json
from holdfast.model.request_body import parse_request
from holdfast.platform.apart import apart
from holdfast.platform.store import dataclips


class Rejected(Exception):  # noqa: N818 - said of the request
    """The request cannot be taken; the response says why."""

    def __init__(self, status: int, body: Json, headers: dict[str, str] | None = None) -> None:
        super().__init__(status)
        self.response = JSONResponse(body, status, headers)


async def body_of(request: Request, limit: int) -> str:
    """The payload as JSON text; of a GET, its query. Raises Rejected."""
    if request.method == "GET":
        return json.dumps(dict(request.query_params), ensure_ascii=False)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        await read(request, limit)
        async with request.form(max_part_size=limit) as form:
            fields = {
                key: value.filename if isinstance(value, UploadFile) else value
                for key, value in form.multi_items()
            }
        return json.dumps(fields, ensure_ascii=False)
    raw = await read(request, limit)
    if not raw:
        return "{}"
    if kind != "application/json" and not kind.endswith("+json"):
        text = f"Content-Type {kind or '(none)'} is not supported: send application/json."
        raise Rejected(415, {"error": "unsupported_media_type", "message": text})
    return await apart(_json_text, raw)


def _json_text(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig")
        value = parse_request(text, document=True)
    except ValueError as error:
        message = f"The body is not JSON: {error}"
        raise Rejected(400, {"error": "bad_json", "message": message}) from error
    if isinstance(value, dict) and "configuration" not in value:
        return text
    if isinstance(value, dict):
        return dataclips.object_text(value)[0]
    return f'{{"_json":{text}}}'


async def read(request: Request, limit: int) -> bytes:
    """The body, read piece by piece so that a large one is refused early."""
    if hasattr(request, "_body"):
        return request._body
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            megabytes = limit / (1024 * 1024)
            text = f"The body is larger than {megabytes:g} MB."
            raise Rejected(413, {"error": "payload_too_large", "message": text})
        parts.append(part)
    body = b"".join(parts)
    request._body = body
    return body

"""The Collections API, version 1 and 2 (`docs/spec/platform.md` 6.1, 6.2).

The bearer is a run's token, good for the collections of the run's project while the run is under
way, or a token of a person or a project. The door for runs takes a run's token only.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from holdfast.model.request_body import parse_request
from holdfast.platform.access import visit
from holdfast.platform.access.identity import bearer_of, run_subject
from holdfast.platform.access.policy import Action, Kind, Reason, Subject, decide
from holdfast.platform.apart import apart
from holdfast.platform.chores.cleaner import remove_items
from holdfast.platform.clock import iso
from holdfast.platform.collections.putting import put_all
from holdfast.platform.collections.selection import cursor_of, selection
from holdfast.platform.service import Platform
from holdfast.platform.store import collections as store
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.store.history_query import BadFilter

#: Items read from the database at a time, and the bytes that they should have at most together.
_CHUNK, _CHUNK_BYTES = 500, 4_000_000


@dataclass(frozen=True, slots=True)
class _Call:
    """A request that may go on: which collection, and the key if one is named."""

    platform: Platform
    collection_id: str
    key: str | None


class _Denied(Exception):  # noqa: N818 - said of the request
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.response = JSONResponse({"error": text}, status)


_Endpoint = Callable[[Request, _Call], Awaitable[Response]]


def collection_routes(*, runs_only: bool = False) -> list[BaseRoute]:
    """Routes under `/collections`. `runs_only`: no token but a run's is taken."""
    dispatch = partial(_dispatch, runs_only=runs_only)
    return [Route("/collections/{path:path}", dispatch, methods=["GET", "PUT", "POST", "DELETE"])]


async def _dispatch(request: Request, *, runs_only: bool) -> Response:
    try:
        call = await _call(request, runs_only=runs_only)
        endpoint = _endpoint(request.method, call)
        return await endpoint(request, call)
    except _Denied as denied:
        return denied.response
    except store.AmbiguousError as error:
        return JSONResponse({"error": error.message}, 409)
    except store.CollectionError as error:
        return JSONResponse({"error": error.message}, 404)
    except BadFilter as error:
        return JSONResponse({"error": error.message}, 400)


def _endpoint(method: str, call: _Call) -> _Endpoint:
    one = call.key is not None
    if method == "GET":
        return _get if one else _list
    if method == "DELETE":
        return _delete_one if one else _delete_many
    if method == "PUT" and one:
        return _put_one
    if method == "POST" and not one:
        return _put_many
    raise _Denied(405, "Method not allowed")


async def _call(request: Request, *, runs_only: bool) -> _Call:
    """Who asks, for what. Raises _Denied."""
    platform: Platform = request.app.state.platform
    subject = await _subject(request, platform, runs_only=runs_only)
    version = request.headers.get("x-api-version", "1")
    parts = request.path_params["path"].split("/")
    if version == "2":
        asked, parts = parts[0], parts[1:]
    elif version == "1":
        asked = request.query_params.get("project_id")
    else:
        raise _Denied(400, f"Unknown API version {version!r}")
    if not parts or not parts[0]:
        raise _Denied(404, "Not Found")
    if subject.kind is Kind.RUN and asked not in {None, *subject.roles}:
        raise _Denied(403, "Forbidden")
    visible = subject.visible if asked is None else frozenset({asked})
    found = await platform.database.read(lambda c: store.find_collection(c, parts[0], visible))
    key = "/".join(parts[1:]) or None
    project_id = None if found is None else str(found.project_id)
    verdict = decide(subject, _action(request.method, one=key is not None), project_id)
    visit.note(project_id, collection=parts[0])
    if found is None or verdict.reason is Reason.NO_MEMBER:
        raise _Denied(404, "Not Found")
    if not verdict.allowed:
        raise _Denied(403, f"Forbidden: it needs {verdict.needed}")
    return _Call(platform, str(found.id), key)


def _action(method: str, *, one: bool) -> Action:
    if method == "GET":
        return Action.READ_COLLECTION
    many = method == "DELETE" and not one
    return Action.CLEAR_COLLECTION if many else Action.WRITE_COLLECTION


async def _subject(request: Request, platform: Platform, *, runs_only: bool) -> Subject:
    """Who asks: a run, or whom the guard has found. Raises _Denied."""
    visitor = visit.subject()
    if not runs_only and visitor.kind is Kind.TOKEN:
        return visitor
    found = await run_subject(platform, bearer_of(request) or "")
    if isinstance(found, str):
        raise _Denied(401, found)
    return found


def _item(row: Row) -> dict[str, Any]:
    return {
        "key": row.key,
        "value": row.value,
        "created": iso(row.inserted_at),
        "updated": iso(row.updated_at),
    }


async def _get(_request: Request, call: _Call) -> Response:
    key = call.key or ""
    row = await call.platform.database.read(lambda c: store.get_item(c, call.collection_id, key))
    return Response(status_code=204) if row is None else JSONResponse(_item(row))


async def _list(request: Request, call: _Call) -> Response:
    """A page, sent as it is read: `{"items": […], "cursor": text or null}`."""
    chosen = selection(request.query_params)
    return StreamingResponse(_stream(call, chosen), media_type="application/json")


async def _stream(call: _Call, chosen: store.Selection) -> AsyncIterator[str]:
    yield '{"items":['
    left, cursor, first, chunk = chosen.limit, None, True, 20
    while left > 0:
        count = min(left, chunk)
        # one more than wanted tells whether there is more
        read = partial(_page, call=call, chosen=chosen, count=count + 1)
        rows = await call.platform.database.read(read)
        more, rows = len(rows) > count, rows[:count]
        text = ",".join(json.dumps(_item(row), ensure_ascii=False) for row in rows)
        if text:
            yield text if first else f",{text}"
            first = False
        left -= len(rows)
        # large items come a few at a time, so that memory stays the same
        chunk = max(1, min(_CHUNK, len(rows) * _CHUNK_BYTES // (len(text) + 1)))
        if not more:
            cursor = None
            break
        cursor = cursor_of(rows[-1])
        chosen = replace(chosen, after=rows[-1].id)
    yield f'],"cursor":{json.dumps(cursor)}}}'


def _page(connection: Connection, call: _Call, chosen: store.Selection, count: int) -> list[Row]:
    return store.page(connection, call.collection_id, chosen, count)


async def _put_one(request: Request, call: _Call) -> Response:
    body = await _body(request, call)
    value = body.get("value")
    if value is None:
        return JSONResponse({"upserted": 0, "error": "value is missing"}, 422)
    if not isinstance(value, str):
        return JSONResponse({"upserted": 0, "error": "Format error"}, 422)
    return await _put(call, [(call.key or "", value)])


async def _put_many(request: Request, call: _Call) -> Response:
    items = (await _body(request, call)).get("items")
    if not isinstance(items, list):
        return JSONResponse({"upserted": 0, "error": "items are missing"}, 422)
    pairs = []
    for item in items:
        key, value = (
            (item.get("key"), item.get("value")) if isinstance(item, dict) else (None, None)
        )
        if not isinstance(key, str) or not key or not isinstance(value, str):
            return JSONResponse({"upserted": 0, "error": "Format error"}, 422)
        pairs.append((key, value))
    return await _put(call, pairs)


async def _put(call: _Call, pairs: list[tuple[str, str]]) -> Response:
    count, wrong = await put_all(call.platform, call.collection_id, pairs)
    return JSONResponse({"upserted": count, "error": wrong}, 200 if wrong is None else 422)


async def _delete_one(_request: Request, call: _Call) -> Response:
    key = call.key or ""
    count = await call.platform.database.write(
        lambda tx: store.delete_item(tx, call.collection_id, key)
    )
    error = None if count else "Item Not Found"
    return JSONResponse({"key": call.key, "deleted": count, "error": error})


async def _delete_many(request: Request, call: _Call) -> Response:
    """What the filters choose, step by step; all of the collection without any."""
    chosen = selection(request.query_params)
    count = await remove_items(call.platform, call.collection_id, chosen)
    key = request.query_params.get("key")
    return JSONResponse({"key": key, "deleted": count, "error": None})


async def _body(request: Request, call: _Call) -> dict[str, Any]:
    """The JSON object of a request, of a bounded size. Raises _Denied."""
    limit, parts, size = call.platform.settings.payload_bytes, [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise _Denied(413, f"The body is larger than {call.platform.settings.payload_mb:g} MB")
        parts.append(part)
    try:
        value = await apart(parse_request, b"".join(parts))
    except ValueError as error:
        raise _Denied(400, f"The body is not JSON that can be stored: {error}") from error
    if not isinstance(value, dict):
        raise _Denied(422, "The body must be an object")
    return value

"""The audit log over the API: a page of it, or all of it as JSON lines or CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from holdfast.model.json import Json, JsonObject
from holdfast.platform.access.problems import AccessError
from holdfast.platform.api.accounts import project
from holdfast.platform.clock import iso
from holdfast.platform.service import Platform
from holdfast.platform.store import audit
from holdfast.platform.store.audit import Chosen
from holdfast.platform.store.database import Row

_CHUNK, _MOST = 500, 1000
_COLUMNS = ("id", "at", "actor", "kind", "address", "action", "status", "project_id", "details")


def event_view(row: Row) -> JsonObject:
    """One event as the API shows it."""
    details: Json = json.loads(row.details)
    return {
        "id": row.id,
        "at": iso(row.at),
        "actor": row.actor,
        "actor_id": row.actor_id,
        "kind": row.kind,
        "key_id": row.key_id,
        "address": row.address,
        "action": row.action,
        "status": row.status,
        "project_id": row.project_id,
        "details": details,
    }


async def everything(request: Request) -> Response:
    """`GET /api/audit?actor=&before=&limit=&format=`: `format` is `json`, `jsonl` or `csv`."""
    return await _answer(request, None)


async def of_project(request: Request) -> Response:
    """`GET /api/projects/:project_id/audit`: the same of one project."""
    return await _answer(request, frozenset({await project(request)}))


async def _answer(request: Request, visible: frozenset[str] | None) -> Response:
    platform: Platform = request.app.state.platform
    asked = request.query_params
    before = _number(asked.get("before"), "before", 2**62)
    limit = _number(asked.get("limit"), "limit", _MOST) or 100
    chosen = Chosen(visible, asked.get("actor"), before, limit)
    kind = asked.get("format", "json")
    if kind in _WRITERS:
        media, write = _WRITERS[kind]
        name = {"content-disposition": f'attachment; filename="audit.{kind}"'}
        return StreamingResponse(_all(platform, chosen, write), media_type=media, headers=name)
    if kind != "json":
        message = "format must be json, jsonl or csv"
        raise AccessError(message)
    rows = await platform.database.read(lambda c: audit.events(c, chosen))
    return JSONResponse({"data": [event_view(row) for row in rows]})


async def _all(
    platform: Platform, chosen: Chosen, write: Callable[[list[Row], bool], str]
) -> AsyncIterator[str]:
    """Piece by piece, so that a long log needs no memory."""
    chosen, first = replace(chosen, limit=_CHUNK), True
    while True:
        wanted = chosen
        rows = await platform.database.read(lambda c, wanted=wanted: audit.events(c, wanted))  # type: ignore[misc]
        yield write(rows, first)
        if len(rows) < _CHUNK:
            return
        chosen, first = replace(chosen, before=rows[-1].id), False


def _lines(rows: list[Row], _first: bool) -> str:
    return "".join(json.dumps(event_view(row), ensure_ascii=False) + "\n" for row in rows)


def _table(rows: list[Row], first: bool) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    if first:
        writer.writerow(_COLUMNS)
    for row in rows:
        view = event_view(row)
        writer.writerow([_plain(view[name]) for name in _COLUMNS])
    return out.getvalue()


def _plain(value: Json) -> str:
    """Text that a spreadsheet does not take for a formula."""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value or "")
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


_WRITERS: dict[str, tuple[str, Callable[[list[Row], bool], str]]] = {
    "jsonl": ("application/jsonl", _lines),
    "csv": ("text/csv", _table),
}


def _number(text: str | None, name: str, most: int) -> int | None:
    """Raises AccessError."""
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 19 or not 1 <= int(text) <= most:
        message = f"{name} must be a whole number from 1 to {most}"
        raise AccessError(message)
    return int(text)

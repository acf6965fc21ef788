"""Server-sent events: pages learn what changed, and log lines come as they are stored."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from holdfast.platform.hub import Hub
from holdfast.platform.service import Platform
from holdfast.platform.store.database import Notice
from holdfast.platform.web import data
from holdfast.platform.web.render import part

_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
_KEEP_ALIVE_SECONDS = 15.0
#: What comes together is told together.
_GATHER_SECONDS, _OVERVIEW_SECONDS = 0.1, 0.5


async def run_events(request: Request) -> Response:
    """Events of one run: `log` (HTML of new lines; the id is the last number) and `changed`."""
    platform: Platform = request.app.state.platform
    text = request.headers.get("last-event-id") or request.query_params.get("after", "0")
    after = int(text) if text.isascii() and text.isdigit() else 0
    events = _run_events(platform, request.path_params["id"], after)
    return StreamingResponse(events, media_type="text/event-stream", headers=_HEADERS)


async def _run_events(platform: Platform, run_id: str, last: int) -> AsyncIterator[str]:
    with platform.hub.watch(f"run:{run_id}") as notices:
        yield _event("changed", "")  # whatever happened before we listened
        changed = False
        while True:
            while lines := await platform.database.read(
                lambda c, after=last: data.log(c, run_id, after)  # type: ignore[misc]
            ):
                last = lines[-1].id
                yield _event("log", part("log_lines.html", lines=lines), last)
            if changed:
                yield _event("changed", "")
            news = await _next(platform.hub, notices, _GATHER_SECONDS)
            if news is None:
                return
            changed = any(notice.what != "logs" for notice in news)
            if not news:
                yield ": still here\n\n"


async def overview_events(request: Request) -> Response:
    """`changed` whenever the overview may look different."""
    platform: Platform = request.app.state.platform
    return StreamingResponse(
        _overview_events(platform), media_type="text/event-stream", headers=_HEADERS
    )


async def _overview_events(platform: Platform) -> AsyncIterator[str]:
    with platform.hub.watch("runs", "workers") as notices:
        yield _event("changed", "")
        while (news := await _next(platform.hub, notices, _OVERVIEW_SECONDS)) is not None:
            yield _event("changed", "") if news else ": still here\n\n"


async def _next(
    hub: Hub, notices: asyncio.Queue[Notice], gather_seconds: float
) -> list[Notice] | None:
    """What came, gathered for a moment; empty after a long silence; None: go home."""
    if hub.closed:
        return None
    try:
        news = [await asyncio.wait_for(notices.get(), _KEEP_ALIVE_SECONDS)]
    except TimeoutError:
        return []
    await asyncio.sleep(gather_seconds)
    while not notices.empty():
        news.append(notices.get_nowait())
    return None if any(notice.what == "closing" for notice in news) else news


def _event(name: str, text: str, number: int | None = None) -> str:
    """One event; the text travels as JSON so that line breaks need no care."""
    head = f"event: {name}\n" + (f"id: {number}\n" if number is not None else "")
    return f"{head}data: {json.dumps(text)}\n\n"

"""Server-sent events: pages learn what changed, and log lines come as they are stored."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from holdfast.platform.access import visit
from holdfast.platform.access.identity import identify
from holdfast.platform.access.policy import Action, decide
from holdfast.platform.hub import Hub
from holdfast.platform.service import Platform
from holdfast.platform.store import logs
from holdfast.platform.store.belonging import project_of
from holdfast.platform.store.notice import Notice
from holdfast.platform.web.logview import WANTED
from holdfast.platform.web.render import part
from holdfast.platform.web.runview import names_in

_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
_KEEP_ALIVE_SECONDS = 15.0
#: Changes within this time are sent as one event: of a run, of the overview.
_GATHER_SECONDS, _OVERVIEW_SECONDS = 0.1, 0.5


class Visit:
    """Who looks at a live page, for as long as they may see what it shows."""

    def __init__(self, request: Request, project_id: str | None = None) -> None:
        self._request = request
        self._project_id = project_id
        self.owner = visit.subject().key_id or ""

    async def is_over(self) -> bool:
        """Whether they have logged out, or may no longer see the project."""
        subject = (await identify(self._request)).subject
        action = Action.READ if self._project_id else Action.LOOK
        return not decide(subject, action, self._project_id).allowed


async def run_events(request: Request) -> Response:
    """Events of one run: `log` (HTML of new lines; the id is the last number) and `changed`."""
    platform: Platform = request.app.state.platform
    text = request.headers.get("last-event-id") or request.query_params.get("after", "0")
    after = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
    key = request.path_params["id"]
    project_id = await platform.database.read(lambda c: project_of(c, "run", key))
    visitor = Visit(request, project_id)
    return _stream(platform, visitor, _run_events(platform, visitor, key, after))


async def overview_events(request: Request) -> Response:
    """`changed` whenever the overview may look different; `?of=workers`: their page."""
    platform: Platform = request.app.state.platform
    visitor, topics = Visit(request), ["runs", "workers"]
    if request.query_params.get("of") == "workers":
        topics.append("vitals")
    return _stream(platform, visitor, _overview_events(platform, visitor, topics))


def _stream(platform: Platform, visitor: Visit, events: AsyncIterator[str]) -> Response:
    """The events, or 503 when too many pages are followed already."""
    if not platform.streams.has_room(visitor.owner):
        return PlainTextResponse("Too many pages are open.", 503, {"retry-after": "5"})
    return StreamingResponse(events, media_type="text/event-stream", headers=_HEADERS)


async def _run_events(
    platform: Platform, visitor: Visit, run_id: str, last: int
) -> AsyncIterator[str]:
    names = await platform.database.read(lambda c: names_in(c, run_id))
    with platform.streams.take(visitor.owner), platform.hub.watch(f"run:{run_id}") as notices:
        yield _event("changed", "")  # whatever happened before we listened
        changed = False
        while True:
            while lines := await platform.database.read(
                lambda c, after=last: logs.lines(c, run_id, after, WANTED)  # type: ignore[misc]
            ):
                last = lines[-1].number
                yield _event(
                    "log", part("log_lines.html", run_id=run_id, lines=lines, names=names), last
                )
            if changed:
                yield _event("changed", "")
            news = await _next(platform.hub, notices, _GATHER_SECONDS)
            if news is None or await visitor.is_over():
                return
            changed = any(notice.what != "logs" for notice in news)
            if not news:
                yield ": still here\n\n"


async def _overview_events(
    platform: Platform, visitor: Visit, topics: list[str]
) -> AsyncIterator[str]:
    with platform.streams.take(visitor.owner), platform.hub.watch(*topics) as notices:
        yield _event("changed", "")
        while (news := await _next(platform.hub, notices, _OVERVIEW_SECONDS)) is not None:
            if await visitor.is_over():
                return
            yield _event("changed", "") if news else ": still here\n\n"


async def _next(
    hub: Hub, notices: asyncio.Queue[Notice], gather_seconds: float
) -> list[Notice] | None:
    """The notices of a short time; empty after a long silence; None: the stream must end."""
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

"""`/metrics`: figures for Prometheus; and the clock that measures requests."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdfast.platform.clock import now
from holdfast.platform.figures import Figures
from holdfast.platform.service import Platform
from holdfast.platform.store.state import state_of

_KINDS = {"/i/": "webhook", "/api/": "api", "/collections": "collections"}


async def metrics(request: Request) -> Response:
    """Figures of the queue, of runs, latencies and the database, in Prometheus' format."""
    platform: Platform = request.app.state.platform
    state = await platform.database.read(lambda c: state_of(c, now()))
    leads = await platform.lead.is_mine()
    text = platform.figures.text(state, waiting=platform.database.waiting, leads=leads)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


class Timed:
    """ASGI middleware: how long it takes until an answer begins."""

    def __init__(self, app: ASGIApp, figures: Figures) -> None:
        self._app, self._figures = app, figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, path = time.perf_counter(), scope["path"]
        kind = next((kind for start, kind in _KINDS.items() if path.startswith(start)), "page")

        async def timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                status = f"{message['status'] // 100}xx"
                seconds = time.perf_counter() - began
                self._figures.request_seconds.labels(kind, status).observe(seconds)
            await send(message)

        await self._app(scope, receive, timed)

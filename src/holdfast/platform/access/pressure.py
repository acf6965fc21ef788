"""Back-pressure: while too many writes wait for the database, requests for more are refused.

Whoever gets 503 knows that nothing was accepted, and when to try again. What was accepted before
is written. Reading goes on, and so do workers: their sockets are read no faster than we write.
"""

from __future__ import annotations

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from holdfast.platform.store.database import Database

_READING = frozenset({"HEAD", "OPTIONS"})
RETRY_SECONDS = 2


class Pressed:
    """ASGI middleware that asks the database's queue before a request that writes."""

    def __init__(self, app: ASGIApp, database: Database) -> None:
        self._app = app
        self._database = database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._database.is_full and _writes(scope):
            text = f"Too much waits to be written. Try again in {RETRY_SECONDS} s."
            body = {"error": "busy", "message": text}
            answer = JSONResponse(body, 503, {"retry-after": str(RETRY_SECONDS)})
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _writes(scope: Scope) -> bool:
    """A webhook may start a run with GET, too."""
    method = scope["method"]
    if method == "GET":
        return bool(scope["path"].startswith("/i/"))
    return method not in _READING

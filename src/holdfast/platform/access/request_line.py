"""The address of a request, before anybody reads it: one form, and nothing that cannot be stored.

`/api/provision/` means `/api/provision`: some clients write it so, and a redirection would cost
each of their requests a second one.
"""

from __future__ import annotations

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_API = "/api/"


class PlainAddress:
    """ASGI middleware: takes the slash off the end of API paths, answers 400 to a NUL."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            if "\0" in path or b"%00" in scope["query_string"]:
                text = "The address has a NUL character."
                answer = JSONResponse({"error": "bad_address", "message": text}, 400)
                await answer(scope, receive, send)
                return
            if path.startswith(_API) and path.endswith("/"):
                scope = {**scope, "path": path.rstrip("/")}
        await self._app(scope, receive, send)

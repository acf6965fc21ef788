"""Errors of the API as problem details (RFC 9457), in one place for all of its routes.

What an error says stays where OpenFn's clients look for it (`error`, `errors`); `type`, `title`,
`status`, `detail` and `instance` are added, also to answers that no handler gave (404, 405).
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdfast.model.json import JsonObject

_API = "/api/"
#: Larger bodies are no words for people.
_MOST = 1_000_000
_MEDIA_TYPE = b"application/problem+json"


class Problems:
    """ASGI middleware for everything below `/api/`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_API):
            await self._app(scope, receive, send)
            return
        held: Message | None = None
        body = b""

        async def problem(message: Message) -> None:
            nonlocal held, body
            if message["type"] == "http.response.start" and message["status"] >= 400:
                held = message
            elif held is None:
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    await _send(send, held, body, scope["path"])

        await self._app(scope, receive, problem)


async def _send(send: Send, start: Message, body: bytes, path: str) -> None:
    headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
    shown = body if len(body) > _MOST else _shown(body, start["status"], path)
    if shown is not body:
        headers = [(name, value) for name, value in headers if name != b"content-type"]
        headers.append((b"content-type", _MEDIA_TYPE))
    headers.append((b"content-length", str(len(shown)).encode()))
    await send({**start, "headers": headers})
    await send({"type": "http.response.body", "body": shown})


def _shown(body: bytes, status: int, path: str) -> bytes:
    try:
        said: Any = json.loads(body) if body else {}
    except ValueError:
        said = {"error": body.decode("utf-8", "replace")}
    if not isinstance(said, dict):
        return body
    return json.dumps(problem_of(said, status, path), ensure_ascii=False).encode()


def problem_of(said: JsonObject, status: int, path: str) -> JsonObject:
    """Problem details with the members of an error's body."""
    detail = said.get("message") or "\n".join(_texts(said.get("errors", said.get("error"))))
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": path,
        **said,
    }


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in items for text in _texts(item)]

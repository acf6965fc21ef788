"""Limits of requests: bytes, time, and memory for all bodies together.

Anybody who reaches a port can send to it, also before a login. So every route limits the size and
the time of a body, and there is a limit for all bodies together. `connections.py` limits heads
that never end and answers that nobody reads.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdfast.platform.settings import MEGABYTE

#: Routes for people who have not logged in yet; nothing large is sent there.
_ENTRANCE_BYTES = 16 * 1024
_NO_CODING = "Compressed bodies are not taken: send it without Content-Encoding."
_ENTRANCES = ("/login", "/session/", "/logout")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes and seconds."""

    body_bytes: int
    #: Bodies of all requests that are being answered, together.
    bodies_bytes: int
    #: Between two pieces of a body, and for all of it.
    piece_seconds: float
    body_seconds: float


class BodyRefused(Exception):  # noqa: N818 - said of the request
    """The body is too large or too slow, or there are too many; the response says which."""

    def __init__(self, status: int, error: str, text: str) -> None:
        super().__init__(text)
        headers = {"retry-after": "5"} if status == 503 else {}
        self.response = JSONResponse({"error": error, "message": text}, status, headers)


class Limited:
    """ASGI middleware that holds every request to the limits."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits
        #: Bytes of bodies that are held now.
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(self._limits, self._most(scope["path"]), receive, send)
        try:
            refusal = await self._serve(exchange, scope)
        finally:
            self._held -= exchange.size
        if refusal is not None and not exchange.answering:
            await refusal(scope, receive, exchange.send)

    async def _serve(self, exchange: _Exchange, scope: Scope) -> Response | None:
        """Let the application answer; if the body breaks a limit, send the refusal."""

        async def receive() -> Message:
            before = exchange.size
            message = await exchange.receive()
            self._held += exchange.size - before
            if self._held > self._limits.bodies_bytes and self._held > exchange.size:
                raise BodyRefused(503, "busy", "Too much is being sent. Try again in a moment.")
            return message

        try:
            exchange.check_announced(Headers(scope=scope))
            await self._app(scope, receive, exchange.send)
        except BodyRefused as refused:
            return refused.response
        except ClientDisconnect:  # who sends has gone: nobody waits for an answer
            pass
        return None

    def _most(self, path: str) -> int:
        return _ENTRANCE_BYTES if path.startswith(_ENTRANCES) else self._limits.body_bytes


@dataclass(slots=True)
class _Exchange:
    """One request and its answer."""

    limits: Limits
    most: int
    _receive: Receive
    _send: Send
    size: int = 0
    answering: bool = False
    _complete: bool = False
    _since: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    def check_announced(self, headers: Headers) -> None:
        """Refuse a body at once that is compressed or says that it is too large.

        Raises BodyRefused.
        """
        coding = headers.get("content-encoding", "identity").strip().lower()
        if coding not in {"", "identity"}:
            raise BodyRefused(415, "unsupported_encoding", _NO_CODING)
        length = headers.get("content-length", "0")
        if length.isascii() and length.isdigit() and int(length) > self.most:
            raise self._too_large()

    def _too_large(self) -> BodyRefused:
        text = f"The body is larger than {self.most / MEGABYTE:.3g} MB."
        return BodyRefused(413, "payload_too_large", text)

    async def receive(self) -> Message:
        """The next piece of the body. After the last one, wait until the client disconnects."""
        if self._complete:
            return await self._receive()
        left = self._since + self.limits.body_seconds - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(min(self.limits.piece_seconds, left)):
                message = await self._receive()
        except TimeoutError as error:
            raise BodyRefused(408, "too_slow", "The body did not come in time.") from error
        self.size += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self.size > self.most:
            raise self._too_large()
        return message

    async def send(self, message: Message) -> None:
        self.answering = True
        await self._send(message)

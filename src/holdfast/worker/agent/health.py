"""The worker's small HTTP service: /livez, /readyz, /metrics, /status, POST /claim."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress

from holdfast.model.errors import UsageError
from holdfast.worker.agent.report import Report
from holdfast.worker.metrics import Metrics

_REQUEST_SECONDS = 5.0
_WORDS = {200: "OK", 204: "No Content", 404: "Not Found", 405: "Method Not Allowed",
          503: "Service Unavailable"}  # fmt: skip


class Health:
    """Serves until `close`; stays up while the worker drains."""

    def __init__(
        self, report: Report, metrics: Metrics, claim: Callable[[], Awaitable[bool]]
    ) -> None:
        self._report = report
        self._metrics = metrics
        self._claim = claim
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port. UsageError if it is taken."""
        try:
            self._server = await asyncio.start_server(self._serve, host, port, limit=16 * 1024)
        except OSError as error:
            message = f"The health port {port} cannot be opened: {error.strerror}"
            fix = "Give another with WORKER_PORT (0: any free one)."
            raise UsageError(message, fix=fix) from error
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
            method, path = (words[0], words[1].split("?", 1)[0]) if len(words) > 1 else ("", "")
            code, kind, body = await self._answer(method, path)
            text = "" if method == "HEAD" or code == 204 else body
            header = (
                f"HTTP/1.1 {code} {_WORDS[code]}\r\ncontent-type: {kind}\r\n"
                f"content-length: {len(text.encode())}\r\nconnection: close\r\n\r\n"
            )
            writer.write((header + text).encode())
            await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked has gone, or speaks something else
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, method: str, path: str) -> tuple[int, str, str]:
        plain, json_type = "text/plain; charset=utf-8", "application/json"
        if path == "/claim" and method == "POST":
            return (200, plain, "complete") if await self._claim() else (204, plain, "")
        if path == "/claim" or method not in {"GET", "HEAD"}:
            return 405, plain, "POST /claim, GET everything else\n"
        if path in {"/", "/livez"}:
            return 200, plain, "OK"
        if path == "/metrics":
            return 200, "text/plain; version=0.0.4; charset=utf-8", self._metrics.text()
        if path not in {"/readyz", "/status"}:
            return 404, plain, "not found\n"
        said = self._report.readiness() if path == "/readyz" else self._report.status()
        code = 503 if path == "/readyz" and not said["ready"] else 200
        return code, json_type, json.dumps(said) + "\n"

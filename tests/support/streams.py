"""Servers of streams in a test: every connection is closed, however its handler ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from ssl import SSLContext

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_GONE = (OSError, asyncio.IncompleteReadError)


@asynccontextmanager
async def served(
    handler: Handler, host: str = "127.0.0.1", tls: SSLContext | None = None
) -> AsyncIterator[int]:
    """A server on a free port, which it yields. At its end the handlers are cancelled.

    A client that goes away is no error. Any other error of a handler is raised at the end.
    """
    handlers: set[asyncio.Task[None]] = set()
    writers: set[asyncio.StreamWriter] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(*_GONE):
            await handler(reader, writer)
        writer.close()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        handlers.add(asyncio.ensure_future(handle(reader, writer)))

    server = await asyncio.start_server(connected, host, 0, ssl=tls)
    try:
        async with server:
            yield int(server.sockets[0].getsockname()[1])
    finally:
        for task in handlers:
            task.cancel()
        ended = await asyncio.gather(*handlers, return_exceptions=True)
        for writer in writers:
            writer.close()
        for writer in writers:
            with suppress(OSError):
                await writer.wait_closed()
    for error in ended:
        if isinstance(error, Exception):
            raise error


@dataclass(frozen=True, slots=True)
class Gate:
    """An address that answers no request before it is opened, and a job that waits for it."""

    address: str
    opened: asyncio.Event

    @property
    def job(self) -> str:
        """Logs a line and ends when the gate is open."""
        return (
            "export default [async state => { console.log('at the gate'); "
            f"await fetch('{self.address}'); return state; }}];"
        )


@asynccontextmanager
async def closed_gate() -> AsyncIterator[Gate]:
    """For runs that must go on until a test has looked at them."""
    opened = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await opened.wait()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()

    async with served(answer) as port:
        yield Gate(f"http://127.0.0.1:{port}/", opened)

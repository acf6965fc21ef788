"""A server on this machine that stands for all other systems of one run."""

from __future__ import annotations

import http.server
import select
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

#: Bytes of a request; the run that sends it is not trusted. A larger one gets no answer.
_MOST_BYTES = 64 * 1024 * 1024
_BODILESS = frozenset({204, 304})
#: Headers that a body decides.
_LENGTHS = frozenset({"content-length", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back. The headers say how the body comes: in chunks, or whole with its length."""

    status: int
    body: bytes
    headers: dict[str, str | list[str]] = field(default_factory=dict)

    def sent(self, method: str) -> tuple[list[tuple[str, str]], bytes]:
        """Headers and body as they go over the connection."""
        bodiless = method == "HEAD" or self.status in _BODILESS
        chunked = not bodiless and "chunked" in self.headers.get("transfer-encoding", "")
        length = [] if bodiless or chunked else [("content-length", str(len(self.body)))]
        kept = [
            (name, value)
            for name, values in self.headers.items()
            if name not in (_LENGTHS if not bodiless else ())
            for value in ([values] if isinstance(values, str) else values)
        ]
        if bodiless:
            return kept, b""
        if not chunked:
            return [*kept, *length], self.body
        piece = b"%x\r\n%b\r\n" % (len(self.body), self.body) if self.body else b""
        return [*kept, ("transfer-encoding", "chunked")], piece + b"0\r\n\r\n"


#: Gets method, value of the Host header, path with query, body. None: the connection breaks.
Answering: TypeAlias = Callable[[str, str, str, str], Reply | None]


def _handler(answer: Answering) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one piece: two would wait for each other's receipt

        def handle_any(self) -> None:
            try:
                body = self._body()
            except ValueError:  # lengths that are no numbers, or too large
                self.close_connection = True
                return
            found = answer(self.command, self.headers.get("Host") or "", self.path, body)
            if found is None:
                self.close_connection = True
                return
            headers, sent = found.sent(self.command)
            self.send_response_only(found.status)  # no Date and Server of our own
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        def _body(self) -> str:
            if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                return self._chunks().decode("utf-8", "replace")
            return self._read(self.headers.get("Content-Length") or "0", 10, 0).decode(
                "utf-8", "replace"
            )

        def _read(self, length: str, base: int, before: int) -> bytes:
            """So many bytes, behind those `before`. ValueError."""
            size = int(length, base)
            if not 0 <= size <= _MOST_BYTES - before:
                message = "the request is too large"
                raise ValueError(message)
            return self.rfile.read(size)

        def _chunks(self) -> bytes:
            found = b""
            while piece := self._read(self._line().partition(";")[0], 16, len(found)):
                found += piece
                self._line()
            self._line()
            return found

        def _line(self) -> str:
            return self.rfile.readline(1024).decode("latin-1")

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - names of the library
        do_HEAD = do_OPTIONS = handle_any  # noqa: N815 - as above

        def log_message(self, *args: object) -> None:
            """Nothing: who answers tells what came."""

    return Handler


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A run that ends leaves its connections: that is no error to be told."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # as it was given


def listening() -> socket.socket:
    """A socket for `serving`, on a free port of 127.0.0.1. To be closed."""
    return socket.create_server(("127.0.0.1", 0))


@contextmanager
def serving(answer: Answering, at: socket.socket | None = None) -> Iterator[int]:
    """Answer until the context ends, on a port of 127.0.0.1, or where this socket listens.

    With a socket, connections that nobody has answered yet are closed at the end: who answers
    there next gets none of them.
    """
    with ExitStack() as stack:
        door = at or stack.enter_context(listening())
        server = _Server(door.getsockname(), _handler(answer), bind_and_activate=False)
        server.socket.close()
        server.socket = door.dup()
        stack.enter_context(server)
        threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True).start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            while select.select([door], [], [], 0)[0]:
                door.accept()[0].close()

"""A server on this machine that stands for all other systems of one run."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

#: Bytes of a request; the run that sends it is not trusted. A larger one gets no answer.
_MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


#: Gets method, value of the Host header, path with query, body. None: the connection breaks.
Answering: TypeAlias = Callable[[str, str, str, str], Reply | None]


def _handler(answer: Answering) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
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
            self.send_response_only(found.status)  # no Date and Server of our own
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(found.body)

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


@contextmanager
def serving(answer: Answering) -> Iterator[int]:
    """Answer on a port of 127.0.0.1 until the context ends."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(answer)) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()

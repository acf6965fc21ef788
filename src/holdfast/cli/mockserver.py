"""A server that answers the requests a test case tells of, and notes all others."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from holdfast.model.json import JsonObject


@dataclass
class Mock:
    """What is answered, what came, and what nobody had told of."""

    known: list[JsonObject]
    address: str = ""
    came: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    _used: dict[int, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, path: str) -> JsonObject | None:
        """The next answer for a request; None where the case tells of none."""
        with self._lock:
            self.came.append(f"{method} {path}")
            for index, item in enumerate(self.known):
                used = self._used.get(index, 0)
                times = item.get("times")
                if isinstance(times, int) and used >= times:
                    continue
                if _fits(item, method, path):
                    self._used[index] = used + 1
                    return item
            self.unknown.append(f"{method} {path}")
            return None

    def missing(self) -> list[str]:
        """Requests of the case that never came."""
        return [
            f"{item.get('method', 'GET')} {item['url']}"
            for index, item in enumerate(self.known)
            if index not in self._used
        ]


def _fits(item: JsonObject, method: str, path: str) -> bool:
    url = str(item["url"])
    same = path == url or ("?" not in url and path.partition("?")[0] == url)
    return same and str(item.get("method", method)).upper() == method


@contextmanager
def serving(requests: list[JsonObject]) -> Iterator[Mock]:
    """A server on this machine for the time of one case."""
    mock = Mock(requests)

    class Handler(http.server.BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found = mock.answer(self.command, self.path)
            status = 501 if found is None else _status(found)
            told = (
                {"error": "the test case tells of no such request"}
                if found is None
                else found.get("answer")
            )
            body = told.encode() if isinstance(told, str) else json.dumps(told).encode()
            headers = found.get("headers") if found else None
            given = headers if isinstance(headers, dict) else {}
            kind = "text/plain" if isinstance(told, str) else "application/json"
            self.send_response(status)
            for name, value in {"Content-Type": kind, **given}.items():
                self.send_header(name, str(value))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_any  # noqa: N815 - names of the library

        def log_message(self, *args: object) -> None:
            """Nothing: the case tells what came."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        mock.address = f"http://127.0.0.1:{server.server_address[1]}"
        yield mock
        server.shutdown()


def _status(item: JsonObject) -> int:
    status = item.get("status")
    return status if isinstance(status, int) else 200

"""The outside world of the demo, on loopback: a list of facilities, and a register to write to."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FACILITIES = [
    {"code": "HF-001", "name": "Bonabéri Health Centre", "district": "Littoral"},
    {"code": "HF-002", "name": "Mvog-Ada Clinic", "district": "Centre"},
    {"code": "HF-003", "name": "Kribi District Hospital", "district": "Sud"},
]


class ReferenceService:
    """Serves on a free port of 127.0.0.1 from a thread of its own; `register` holds what came."""

    def __init__(self) -> None:
        self.register: list[dict[str, str]] = []
        register = self.register

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(200, FACILITIES) if self.path == "/facilities" else self._missing()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if self.path != "/register":
                    return self._missing()
                rows = json.loads(body)["patients"]
                register.extend(rows)
                return self._answer(201, {"registered": len(rows)})

            def _missing(self) -> None:
                self._answer(404, {"error": f"nothing at {self.path}"})

            def _answer(self, status: int, value: object) -> None:
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Be quiet: the run's own log tells of each request."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> ReferenceService:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

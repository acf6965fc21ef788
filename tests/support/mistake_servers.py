"""The other systems that mistakes ask."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support import tls


class _Answers(http.server.BaseHTTPRequestHandler):
    """`/404` answers 404, `/slow` only when all is over, anything else is fine."""

    released: threading.Event

    def do_GET(self) -> None:
        name = self.path.strip("/")
        if name == "slow":
            self.released.wait()
        status = int(name) if name.isdigit() else 200
        body = b'{"message":"told by the server"}'
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def others(folder: Path) -> Iterator[dict[str, str]]:
    """What `URL` and `TLSURL` in the code of a mistake stand for; nobody knows the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.Authority(folder).server)
    with _serving(None) as plain, _serving(context) as secure:
        yield {"TLSURL": f"https://localhost:{secure}", "URL": f"http://127.0.0.1:{plain}"}


@contextmanager
def _serving(context: ssl.SSLContext | None) -> Iterator[int]:
    class Handler(_Answers):
        released = threading.Event()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield int(server.server_address[1])
        Handler.released.set()
        server.shutdown()

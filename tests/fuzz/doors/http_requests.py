"""HTTP requests as bytes, to every door of a real platform."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

from fuzz.harness import Target
from fuzz.platform import attacked
from fuzz.values import text_of
from support.platform import PROJECT, TRIGGER

#: Stands for the administrator's token.
ADMIN = "@admin@"
PATHS = (
    f"/i/{TRIGGER}", f"/i/{TRIGGER}", f"/i/{TRIGGER}/more", "/api/provision", "/api/runs",
    "/api/runs?state=success&page=1", "/api/projects", "/api/workflows", "/collections/demo",
    "/collections/demo/key", "/collections/demo?query=*&limit=1", "/login", "/", "/runs",
    "/healthz",
    "/api/credentials", "/api/provision/yaml", "/static/../x", "/%00", "/worker/websocket",
    "/metrics",
)  # fmt: skip
METHODS = ("GET", "POST", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "X")
BODIES = (
    PROJECT, {"n": 1}, [1, 2], {"items": [{"key": "k", "value": {"a": 1}}]},
    {"name": "c", "body": {"password": "x"}}, {"password": "x", "next": "/"},
)  # fmt: skip
TYPES = (
    "application/json", "application/x-www-form-urlencoded", "text/plain", "application/xml",
    "multipart/form-data; boundary=x", "text/csv", "application/json; charset=utf-16",
)  # fmt: skip
_STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ")
_PATIENCE_SECONDS = 20.0


def make(chance: Random) -> bytes:
    """One request, nearly right."""
    body = text_of(chance.choice(BODIES), chance, wild=chance.choice((0.0, 0.05, 0.2)))
    content = body.encode("utf-8", "surrogatepass")
    if chance.random() < 0.2:
        content = chance.choice(
            (b"a=1&a=2&%zz=%ff", b"--x\r\n\r\n--x--", b"<a>&b;</a>", b"\x1f\x8b")
        )
    length = len(content) if chance.random() < 0.9 else chance.choice((0, -1, 5, 10**12))
    path = chance.choice(PATHS)
    if chance.random() < 0.2:
        path += "?" + chance.choice(
            ("a=1", "page=-1", "limit=1e9", "id=%00", "q=%ff", "_=" + "x" * 5000)
        )
    lines = [
        f"{chance.choice(METHODS)} {path} HTTP/1.1",
        f"host: {chance.choice(('127.0.0.1', '127.0.0.1', 'evil.example', '[', 'a:b:c', ''))}",
        f"content-type: {chance.choice(TYPES)}",
        f"content-length: {length}",
    ]
    extra = (
        f"authorization: Bearer {ADMIN}", f"authorization: Bearer {ADMIN}",
        "authorization: Bearer x.y.z",
        "authorization: Basic Og==", "cookie: session=x", "origin: https://evil.example",
        "accept: text/html", "x-forwarded-for: 1", "sec-fetch-site: cross-site",
        "expect: 100-continue",
        "transfer-encoding: chunked", "content-encoding: gzip", "upgrade: websocket",
        f"x-a: {chance.choice(('a', 'b' * 9000))}",
    )  # fmt: skip
    lines += [chance.choice(extra) for _ in range(chance.choice((0, 1, 3)))]
    return "\r\n".join(lines).encode() + b"\r\nconnection: close\r\n\r\n" + content


@contextmanager
def opened(folder: Path) -> Iterator[Target]:
    with attacked(folder) as (served, complaints):
        address = urlsplit(served.url)
        admin = served.platform.keys.admin_token.encode()

        def target(data: bytes) -> int:
            answer = _ask(
                (str(address.hostname), int(address.port or 0)),
                data.replace(ADMIN.encode(), admin),
            )
            for status in _STATUS.findall(answer[:200]):
                assert int(status) < 500 or status == b"501", answer[:500]
            complaints.check()
            return 1

        yield target


def _ask(address: tuple[str, int], data: bytes) -> bytes:
    """Send a request, say that there is no more, and read until the platform closes."""
    answer = bytearray()
    with socket.create_connection(address, timeout=_PATIENCE_SECONDS) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while (piece := connection.recv(65536)) and len(answer) < 1_000_000:
                answer += piece
        except (ConnectionResetError, BrokenPipeError):
            pass  # refused before all of it was sent
    return bytes(answer)

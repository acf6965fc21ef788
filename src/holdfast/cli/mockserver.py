"""Answers to the requests that a test case tells of; all others are noted."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from holdfast.bench import server
from holdfast.bench.server import Reply
from holdfast.model.json import JsonObject


@dataclass
class Mock:
    """What is answered, what came, and what nobody had told of."""

    known: list[JsonObject]
    port: int = 0
    came: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    _used: dict[int, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def address(self) -> str:
        """Where the server is that stands for all other systems."""
        return f"http://127.0.0.1:{self.port}"

    def answer(self, method: str, host: str, path: str) -> JsonObject | None:
        """The next answer for a request; None where the case tells of none."""
        place = path if host == f"127.0.0.1:{self.port}" else f"{host}{path}"
        with self._lock:
            self.came.append(f"{method} {place}")
            for index, item in enumerate(self.known):
                used = self._used.get(index, 0)
                times = item.get("times")
                if isinstance(times, int) and used >= times:
                    continue
                if _fits(item, method, host, path):
                    self._used[index] = used + 1
                    return item
            self.unknown.append(f"{method} {place}")
            return None

    def reply(self, method: str, host: str, path: str, _body: str) -> Reply:
        """The same as what goes back; 501 where the case tells of none."""
        found = self.answer(method, host, path)
        if found is None:
            told: JsonObject = {"error": "the test case tells of no such request"}
            return Reply(501, json.dumps(told).encode(), {"Content-Type": "application/json"})
        answer = found.get("answer")
        text = answer if isinstance(answer, str) else json.dumps(answer)
        kind = "text/plain" if isinstance(answer, str) else "application/json"
        given = found.get("headers")
        headers = {name.lower(): str(value) for name, value in _headers(given).items()}
        status = found.get("status")
        return Reply(
            status if isinstance(status, int) else 200,
            text.encode("utf-8", "surrogatepass"),
            {"content-type": kind, **headers},
        )

    def missing(self) -> list[str]:
        """Requests of the case that never came."""
        return [
            f"{item.get('method', 'GET')} {item['url']}"
            for index, item in enumerate(self.known)
            if index not in self._used
        ]


def _headers(given: object) -> JsonObject:
    return given if isinstance(given, dict) else {}


def _fits(item: JsonObject, method: str, host: str, path: str) -> bool:
    """A url with a host is that of this host only; one without a query takes any."""
    url = str(item["url"])
    if "://" in url:
        parts = urlsplit(url)
        if parts.netloc != host:
            return False
        url = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    same = path == url or ("?" not in url and path.partition("?")[0] == url)
    return same and str(item.get("method", method)).upper() == method


@dataclass(frozen=True)
class Place:
    """A port of this machine at which one case after the other is answered."""

    door: socket.socket

    @property
    def port(self) -> int:
        """Stays for all cases: runs that may reach the same are of one kind."""
        return int(self.door.getsockname()[1])

    @contextmanager
    def play(self, requests: list[JsonObject]) -> Iterator[Mock]:
        """Answer for one case. What comes late from its run reaches no other case."""
        mock = Mock(requests, self.port)
        with server.serving(mock.reply, self.door):
            yield mock


@contextmanager
def places(count: int) -> Iterator[list[Place]]:
    """So many places, one for each case that runs at a time."""
    with ExitStack() as stack:
        yield [Place(stack.enter_context(server.listening())) for _ in range(count)]

"""Answers to the requests of a replay, from a recording. Safe for several threads.

The first recorded request that is the same and was not asked yet answers. Where only the body
differs it answers, too, and that is told. A request that was never recorded is told, and gets 501.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

from holdfast.bench.masks import masked_text, masked_url
from holdfast.bench.server import Reply
from holdfast.model.json import Json, JsonObject

_SHOWN = 120
_MOST_PADDED = 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
#: How a body is packed again that a recording keeps unpacked.
_PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
}


@dataclass
class Answers:
    """The recorded exchanges of one replay, and what it asked otherwise."""

    recorded: list[JsonObject]
    otherwise: list[str] = field(default_factory=list)
    came: list[str] = field(default_factory=list)
    _asked: set[int] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reply(self, method: str, host: str, path: str, body: str) -> Reply | None:
        """The answer to one request; `host` is that of its header."""
        target = masked_url(f"{host}{path}")
        text = masked_text(body)
        with self._lock:
            self.came.append(f"{method} {target}")
            same = [
                index
                for index, item in enumerate(self.recorded)
                if item["method"] == method and target_of(item) == target
            ]
            exact = [index for index in same if _body(self.recorded[index]) == text]
            found = self._next(exact)
            if found is None:
                found = self._next(same)
                if found is not None:
                    self._tell_body(method, target, found, text)
            if found is None and same:
                found = (exact or same)[-1]
                self.otherwise.append(f"{method} {target} is asked once more than it was")
            if found is None:
                self.otherwise.append(f"{method} {target} was not asked before")
                return _unknown(method, target)
            self._asked.add(found)
        return _reply(self.recorded[found])

    def _next(self, places: list[int]) -> int | None:
        return next((place for place in places if place not in self._asked), None)

    def _tell_body(self, method: str, target: str, place: int, text: str) -> None:
        before = _body(self.recorded[place])
        self.otherwise.append(
            f"{method} {target} is sent with {text[:_SHOWN] or 'nothing'};"
            f" it was {before[:_SHOWN] or 'nothing'}"
        )

    def left(self) -> list[str]:
        """Recorded requests that were not asked this time."""
        return [
            f"{item['method']} {target_of(item)} was asked, and is not any more"
            for index, item in enumerate(self.recorded)
            if index not in self._asked
        ]


def target_of(item: JsonObject) -> str:
    """Host, path and query of a recorded exchange."""
    if "url" not in item:  # it failed: there was no answer
        return f"{item.get('host')}{item.get('path')}"
    parts = urlsplit(str(item["url"]))
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.netloc}{parts.path or '/'}{query}"


def _body(item: JsonObject) -> str:
    asked = item.get("asked")
    return str(asked.get("text") or "") if isinstance(asked, dict) else ""


def _reply(item: JsonObject) -> Reply | None:
    answer = item.get("answer")
    part: JsonObject = answer if isinstance(answer, dict) else {}
    if "base64" in part:
        body = base64.b64decode(str(part["base64"]))
    else:
        body = str(part.get("text") or "").encode("utf-8", "surrogatepass")
    status = item.get("status")
    if not isinstance(status, int):
        return None  # it had no answer then, either
    if part.get("left_out"):
        return _unknown(str(item["method"]), target_of(item), "its answer was too large to keep")
    headers = _headers(item.get("headers"))
    packed = headers.get("content-encoding")
    if part.get("opened") and isinstance(packed, str):
        pack = _PACKERS.get(packed)
        if pack is None:
            del headers["content-encoding"]
        else:
            body = pack(body)
    elif "json" in headers.get("content-type", ""):
        body += b" " * (_length(headers) - len(body))  # where a secret was longer than its mask
    return Reply(status, body, headers)


def _headers(given: Json) -> dict[str, str | list[str]]:
    return {
        name: [_sendable(item) for item in value] if isinstance(value, list) else _sendable(value)
        for name, value in (given.items() if isinstance(given, dict) else ())
        if _NAME.fullmatch(name)
    }


def _sendable(value: Json) -> str:
    """A header's value in the characters that stand for its bytes, in one line."""
    text = " ".join(str(value).splitlines())
    return text.encode("utf-8", "replace").decode("latin-1")


def _length(headers: dict[str, str | list[str]]) -> int:
    """Bytes that the body had, as far as its headers say it; 0 beyond what may be kept of one."""
    said = headers.get("content-length")
    length = int(said) if isinstance(said, str) and re.fullmatch("[0-9]{1,9}", said) else 0
    return length if length <= _MOST_PADDED else 0


def _unknown(method: str, target: str, why: str = "it is not in the recording") -> Reply:
    told = {"error": f"{method} {target} has no recorded answer: {why}"}
    body = json.dumps(cast("JsonObject", told)).encode()
    return Reply(501, body, {"content-type": "application/json"})

"""Cuts values to a number of bytes that their JSON text may have.

A control character takes six bytes there, so characters say little about the size.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from typing import cast

from holdfast.model.json import Json, JsonObject

#: Bytes of each text that are tried, one after the other, until the whole is small enough.
_TRIED = (16_384, 4096, 1024, 256, 64)
_MARK = "…"


def size_of(value: Json) -> int:
    """Bytes of the JSON text of a value, as a journal has it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode("utf-8", "surrogatepass"))


def cut_text(text: str, most: int) -> str:
    """The text, or its beginning and a mark: at most `most` bytes as JSON (5 at least)."""
    if size_of(text) <= most:
        return text
    room = most - len(_MARK.encode())
    whole = bisect_right(range(len(text)), room, key=lambda count: size_of(text[:count]))
    return text[: max(0, whole - 1)] + _MARK


def cut_object(value: JsonObject, most: int) -> JsonObject:
    """The object with each of its texts cut so far that the whole has `most` bytes.

    It stays larger only where names, numbers and the count of members alone need more.
    """
    for each in _TRIED:
        if size_of(value) <= most:
            break
        value = cast("JsonObject", _cut(value, each))
    return value


def _cut(value: Json, each: int) -> Json:
    if isinstance(value, str):
        return cut_text(value, each)
    if isinstance(value, list):
        return [_cut(item, each) for item in value]
    if isinstance(value, dict):
        return {name: _cut(item, each) for name, item in value.items()}
    return value

"""What is different between two JSON documents, as paths that were added, removed or changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from holdfast.model.json import Json

#: Differences that are shown, characters of a value, and levels that are looked into.
MOST, _VALUE, _DEEPEST = 200, 200, 60


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `kind`: added, removed or changed; a text that is None is not there."""

    path: str
    kind: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """The first differences. `more`: there are others."""

    changes: list[Change]
    more: bool


def difference(before: Json, after: Json) -> Difference:
    """Compare by key and by place in lists."""
    found = list(islice(_changes("", before, after, 0), MOST + 1))
    return Difference(found[:MOST], len(found) > MOST)


def _changes(path: str, before: Json, after: Json, depth: int) -> Iterator[Change]:
    if depth < _DEEPEST and isinstance(before, dict) and isinstance(after, dict):
        yield from _of_objects(path, before, after, depth)
    elif depth < _DEEPEST and isinstance(before, list) and isinstance(after, list):
        for index, (one, other) in enumerate(zip(before, after, strict=False)):
            yield from _changes(f"{path}[{index}]", one, other, depth + 1)
        common = min(len(before), len(after))
        for index, gone in enumerate(before[common:], common):
            yield Change(f"{path}[{index}]", "removed", _shown(gone), None)
        for index, new in enumerate(after[common:], common):
            yield Change(f"{path}[{index}]", "added", None, _shown(new))
    elif type(before) is not type(after) or before != after:
        yield Change(path or "(all)", "changed", _shown(before), _shown(after))


def _of_objects(
    path: str, before: dict[str, Json], after: dict[str, Json], depth: int
) -> Iterator[Change]:
    for key in [*before, *(key for key in after if key not in before)]:
        inside = _joined(path, key)
        if key not in after:
            yield Change(inside, "removed", _shown(before[key]), None)
        elif key not in before:
            yield Change(inside, "added", None, _shown(after[key]))
        else:
            yield from _changes(inside, before[key], after[key], depth + 1)


def _joined(path: str, key: str) -> str:
    if key.isidentifier():
        return f"{path}.{key}" if path else key
    return f"{path}[{json.dumps(key, ensure_ascii=False)}]"


def _shown(value: Json) -> str:
    """The beginning of a value. Only so much is written out of a large one."""
    text = ""
    for piece in json.JSONEncoder(ensure_ascii=False).iterencode(value):
        text += piece
        if len(text) > _VALUE:
            return f"{text[:_VALUE]}…"
    return text

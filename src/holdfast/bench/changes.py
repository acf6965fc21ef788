"""Where two outputs differ, one line for each place. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator

from holdfast.model.json import Json, nests_deeper

_SHOWN = 160


def changes_of(before: str | None, now: str | None) -> list[str]:
    """Lines from one JSON text to the other; empty where both are the same, byte for byte."""
    if before == now:
        return []
    if before is None or now is None:
        return [f"- {_short(before)}" if now is None else f"+ {_short(now)}"]
    if nests_deeper(before) or nests_deeper(now):
        return [f"~ {_short(before)} -> {_short(now)}"]
    found = list(_changes(json.loads(before), json.loads(now), ""))
    return found or ["~ the same values, in another order or form"]


def _changes(before: Json, now: Json, place: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*before, *now]):
            where = f"{place}.{key}" if place else key
            if key not in now:
                yield f"- {where}: {_short(before[key])}"
            elif key not in before:
                yield f"+ {where}: {_short(now[key])}"
            else:
                yield from _changes(before[key], now[key], where)
    elif isinstance(before, list) and isinstance(now, list):
        for at in range(max(len(before), len(now))):
            if at >= len(now):
                yield f"- {place}[{at}]: {_short(before[at])}"
            elif at >= len(before):
                yield f"+ {place}[{at}]: {_short(now[at])}"
            else:
                yield from _changes(before[at], now[at], f"{place}[{at}]")
    elif type(before) is not type(now) or before != now:
        yield f"~ {place or 'the output'}: {_short(before)} -> {_short(now)}"


def _short(value: Json) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = json.dumps(text, ensure_ascii=False) if isinstance(value, str) else text
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"

"""A run's post-mortem as its page shows it. Whatever a worker sent must not break the page."""

from __future__ import annotations

import json
from dataclasses import dataclass

from holdfast.model.json import Json, JsonObject
from holdfast.model.limits import MEBIBYTE
from holdfast.platform.causes.naming import NO_NAMES, Names
from holdfast.platform.web.language import say
from holdfast.platform.web.render import indented, shorten

#: The picture of memory over time, in units of its own.
WIDTH, HEIGHT = 600, 90
_MOST = 1e15
#: The year 2200.
_MOST_US = 7_258_118_400_000_000
#: Characters of a text and of the evidence; entries of a list. Our worker sends far less.
_TEXT, _EVIDENCE, _ENTRIES, _SAMPLES = 2000, 50_000, 500, 5000


@dataclass(frozen=True, slots=True)
class Examined:
    """What is shown: milliseconds and words of each event, memory, the evidence as JSON text."""

    advice: str | None
    timeline: list[tuple[str, str]]
    memory: str | None
    #: Points of the line of memory, and the height of the limit; None without samples.
    line: str | None
    limit: int
    last_lines: list[str]
    evidence: str
    #: Moments and mebibytes, and the limit in mebibytes.
    samples: list[tuple[int, float]]
    limit_mb: float | None


def examined(text: str | None, names: Names = NO_NAMES) -> Examined | None:
    """Read what `run:complete` brought; None when there is nothing."""
    document = json.loads(text) if text else None
    if not isinstance(document, dict):
        return None
    memory = _object(document.get("memory"))
    line, limit = _picture(memory)
    advice = document.get("advice")
    return Examined(
        shorten(names.words(advice), _TEXT) if isinstance(advice, str) else None,
        [
            _event(item, names)
            for item in _list(document.get("timeline"))[:_ENTRIES]
            if isinstance(item, dict)
        ],
        _peak(memory),
        line,
        limit,
        [
            shorten(names.words(str(item)), _TEXT)
            for item in _list(document.get("last_lines"))[:_ENTRIES]
        ],
        indented(document.get("evidence"), _EVIDENCE),
        _moments(memory, _number(document.get("started_us"))),
        _number(memory.get("limit_mb")),
    )


def _event(item: JsonObject, names: Names) -> tuple[str, str]:
    at = item.get("ms")
    return (
        "" if at is None else f"{at!s:.30} ms",
        shorten(names.words(str(item.get("what"))), _TEXT),
    )


def _peak(memory: JsonObject) -> str | None:
    counters, limit = _object(memory.get("counters")), _number(memory.get("limit_mb"))
    peak, heap = _number(counters.get("peak")), _number(counters.get("heap"))
    if peak is None or limit is None:
        return None
    values = {
        "peak": f"{peak / MEBIBYTE:.0f}",
        "limit": limit,
        "means": f"{memory.get('means')!s:.100}",
    }
    if not heap:
        return say("Memory: peak %(peak)s MB of %(limit)s MB, measured by %(means)s.", **values)
    return say(
        "Memory: peak %(peak)s MB of %(limit)s MB, of it %(heap)s MB JavaScript heap, measured by"
        " %(means)s.",
        heap=f"{heap / MEBIBYTE:.0f}",
        **values,
    )


def _picture(memory: JsonObject) -> tuple[str | None, int]:
    points = _samples(memory)
    limit = _number(memory.get("limit_mb"))
    if len(points) < 2 or not limit:
        return None, 0
    top = max(limit, *(used for _, used in points)) * 1.1
    first = points[0][0]
    span = max(1, points[-1][0] - first)
    line = " ".join(
        f"{(at - first) / span * WIDTH:.0f},{HEIGHT - used / top * HEIGHT:.0f}"
        for at, used in points
    )
    return line, round(HEIGHT - limit / top * HEIGHT)


def _samples(memory: JsonObject) -> list[tuple[float, float]]:
    return [
        (at, used)
        for item in _list(memory.get("samples"))[:_SAMPLES]
        if isinstance(item, list) and len(item) == 2
        for at, used in [(_number(item[0]), _number(item[1]))]
        if at is not None and used is not None
    ]


def _moments(memory: JsonObject, started: float | None) -> list[tuple[int, float]]:
    if started is None or started > _MOST_US:
        return []
    return [(int(started + at * 1000), used) for at, used in _samples(memory) if at < _MOST / 1000]


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _number(value: Json) -> float | None:
    """Only what can be drawn: milliseconds and bytes that a machine could have measured."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value if 0 <= value <= _MOST else None  # no NaN either
    return None

"""Rows of a timeline, and the scale that they are drawn to. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: The width of every picture, its height for memory, and the least width of a bar.
WIDTH, HEIGHT, LEAST = 1000, 60, 3
#: Parts shorter than this share of the whole get no row of their own.
_SHORT = 0.01


@dataclass(frozen=True, slots=True)
class Bar:
    """One row. `x` None: it lies outside of the scale. `until` None: it goes on, or has no length.

    `key`: of an operation or a request of the step (`web.spans`). `note`: beside its title.
    """

    kind: str
    title: str
    since: int
    until: int | None
    x: int | None
    width: int
    step_id: str | None = None
    state: str | None = None
    key: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """From `start` to `end`, in microseconds."""

    start: int
    end: int

    def x(self, at: int) -> int:
        share = (at - self.start) / max(1, self.end - self.start)
        return round(min(1.0, max(0.0, share)) * WIDTH)

    def bar(self, kind: str, title: str, since: int, until: int | None, **more: Any) -> Bar:
        if since < self.start and (until or self.end) <= self.start:
            return Bar(kind, title, since, until, None, 0, **more)
        x = min(self.x(since), WIDTH - LEAST)
        return Bar(kind, title, since, until, x, max(LEAST, self.x(until or self.end) - x), **more)

    def is_long(self, since: int, until: int) -> bool:
        return until - since > (self.end - self.start) * _SHORT

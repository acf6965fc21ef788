"""Counts what a run was refused and whom it reached, each kind with its own limit. No I/O."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

CONNECTION, FORBIDDEN, REACHED = "connection", "forbidden", "reached"
#: Different texts of one kind that are kept; what comes beyond them is counted as the empty text.
_MAX_TEXTS = 20


@dataclass(frozen=True, slots=True)
class Notice:
    """`count` further calls of a kind. `text`: what was asked for; empty for all others."""

    kind: str
    text: str
    count: int


@dataclass(slots=True)
class Tally:
    """Calls since the last telling. Keeps a bounded number of texts, whatever comes."""

    waiting: Counter[tuple[str, str]] = field(default_factory=Counter)
    _known: dict[str, set[str]] = field(default_factory=dict)
    _when: float = 0.0

    def count(self, kind: str, text: str) -> None:
        """One more call."""
        known = self._known.setdefault(kind, set())
        if len(known) < _MAX_TEXTS:
            known.add(text)
        self.waiting[kind, text if text in known else ""] += 1

    def due(self, pause_ms: int) -> bool:
        """Whether the last telling is so long ago."""
        return (time.monotonic() - self._when) * 1000 >= pause_ms

    def waiting_notices(self) -> list[Notice]:
        """What is to be told."""
        return [Notice(kind, text, count) for (kind, text), count in self.waiting.items()]

    def told(self) -> None:
        """It was told."""
        self.waiting.clear()
        self._when = time.monotonic()

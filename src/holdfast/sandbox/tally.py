"""Counts what a run was refused and whom it reached, each kind with its own limit. No I/O."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

CONNECTION, FORBIDDEN, REACHED = "connection", "forbidden", "reached"
#: Different texts of one part of a kind that are kept, and of a kind; what comes beyond them is
#: counted as the empty text. All of them together fit into one message to the shim.
_MAX_OF_PART, _MAX_OF_KIND = 20, 150


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
    _known: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    _when: float = 0.0

    def count(self, kind: str, text: str, part: str = "") -> None:
        """One more call. Each part of a kind has room of its own: none hides another."""
        parts = self._known.setdefault(kind, {})
        known = parts.setdefault(part, set())
        if len(known) < _MAX_OF_PART and sum(map(len, parts.values())) < _MAX_OF_KIND:
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

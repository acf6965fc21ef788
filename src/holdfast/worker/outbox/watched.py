"""What is told of a run's operations and requests while it goes. Pure.

It is told for pages that watch: whatever gets lost comes again with the next, and all of it with
the run's end. So it is not in the outbox, is not sent again, and keeps no other event waiting.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from holdfast.engine.spans import KINDS, Spans
from holdfast.journal import Record
from holdfast.model.json import JsonObject
from holdfast.model.record import Kind

#: Between two tellings, seconds; a long list is told less often.
_EVERY, _FOR_EACH = 1.0, 0.01


@dataclass(slots=True)
class Watched:
    """`take` each record of the run's journal from its beginning, in order."""

    seen: Spans = field(default_factory=Spans)
    _fresh: bool = False
    _ended: bool = False
    _next: float | None = None

    def take(self, record: Record) -> None:
        """Read one record."""
        self.seen.take(record)
        self._fresh = self._fresh or record.kind in KINDS
        self._ended = self._ended or record.kind == Kind.OUTCOME

    def wake_at(self) -> float | None:
        """When there is something to tell; None: nothing, or nobody has asked yet."""
        return self._next if self._fresh and not self._ended else None

    def due(self, now: float) -> JsonObject | None:
        """What is to be told now, if anything is."""
        if self._next is None:  # what a short run has done comes with its end
            self._next = now + _EVERY
        wake = self.wake_at()
        if wake is None or now < wake:
            return None
        told = self.seen.build()
        self._fresh = False
        many = sum(len(part) for part in told.values() if isinstance(part, list))
        self._next = now + max(_EVERY, many * _FOR_EACH)
        return told

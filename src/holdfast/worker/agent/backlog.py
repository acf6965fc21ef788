"""When undelivered runs stop a worker from claiming more. Pure.

If the platform takes no results, the worker must not claim more work. If a single run cannot be
delivered, the others must go on. Both cases look the same until a later run is delivered. So a run
counts only while no run that ended after it was delivered. While the limit is reached, one run is
claimed now and then, to find out which case it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

#: Seconds until a run is claimed beyond the limit: at first, and at most.
_PROBE_SECONDS = (1.0, 300.0)


@dataclass(slots=True)
class Backlog:
    """Of one worker. Times are seconds of any steady clock."""

    limit: int
    _ends: dict[str, int] = field(default_factory=dict)  # undelivered run -> number of its end
    _last: int = 0  # number of the latest end
    _best: int = 0  # the highest number that was delivered
    _pause: float = _PROBE_SECONDS[0]
    _probe_at: float | None = None

    @property
    def waiting(self) -> int:
        """Ended runs that count: none that ended after them was delivered."""
        return sum(end >= self._best for end in self._ends.values())

    def ended(self, run: str, *, found: bool = False) -> None:
        """The run waits for its delivery. `found`: since before this worker started."""
        if run not in self._ends:
            self._last += not found
            self._ends[run] = 0 if found else self._last

    def gone(self, run: str, *, delivered: bool) -> None:
        """The run waits no longer. `delivered`: the platform has all of it."""
        end = self._ends.pop(run, 0)
        if delivered:
            self._best = max(self._best, end)
        if self.waiting < self.limit:
            self._pause, self._probe_at = _PROBE_SECONDS[0], None

    def claimed(self, now: float) -> None:
        """A run has come; the next one beyond the limit may come after twice the time."""
        if self.waiting >= self.limit:
            self._pause = min(_PROBE_SECONDS[1], self._pause * 2)
            self._probe_at = now + self._pause

    def full(self, now: float) -> bool:
        """Whether no run may be claimed now."""
        if self.waiting < self.limit:
            return False
        if self._probe_at is None:
            self._probe_at = now + self._pause
        return now < self._probe_at

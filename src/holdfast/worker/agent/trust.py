"""Whether runs that the platform gives can be taken at all. Pure.

A wrong key, or a platform that refuses the channels of the runs it gave, would empty its queue:
each run is claimed, cannot be executed, and is gone. So only few runs may be under way before one
of them has been joined, and each failure is followed by a longer pause.
"""

from __future__ import annotations

from dataclasses import dataclass, field

#: Runs that may be claimed and not yet joined, or have failed in a row, before claims stop.
MOST = 3
UNPROVEN = "the runs claimed last are not joined yet"
TRYING = "a message is tried that may end the connection"
#: Why no claim goes out for a moment; the worker is ready all the same.
PASSING = frozenset({TRYING, UNPROVEN})
#: Pauses after the first and second failure in a row, seconds.
_PAUSES = (5.0, 30.0)
#: And after every further one, where the platform may mend it; a wrong key only mends a restart.
_LONG_PAUSE = 600.0


@dataclass(slots=True)
class Trust:
    """Times are seconds of any steady clock."""

    reason: str | None = None  # of the last failure, until a run works
    _failures: int = 0
    _until: float = float("-inf")
    _unproven: set[str] = field(default_factory=set)

    def claimed(self, run_id: str) -> None:
        """A run was given to us."""
        self._unproven.add(run_id)

    def worked(self, run_id: str) -> None:
        """A run could be joined, with a token that is right."""
        self._unproven.discard(run_id)
        self._failures, self.reason, self._until = 0, None, float("-inf")

    def failed(self, run_id: str, why: str, now: float, *, for_good: bool) -> None:
        """A run could not be taken. `for_good`: it will be the same with every other."""
        self._unproven.discard(run_id)
        self._failures += 1
        self.reason = why
        if self._failures < MOST:
            self._until = now + _PAUSES[self._failures - 1]
        else:
            self._until = float("inf") if for_good else now + _LONG_PAUSE

    def gone(self, run_id: str) -> None:
        """A run ended, or was given back for a reason of ours: it proves nothing."""
        self._unproven.discard(run_id)

    def blocked(self, now: float) -> str | None:
        """Why nothing may be claimed now; None if it may."""
        if now < self._until:
            return self.reason
        failures = min(self._failures, MOST - 1)  # one at a time, to see whether it is mended
        if failures + len(self._unproven) >= MOST:
            return self.reason or UNPROVEN
        return None

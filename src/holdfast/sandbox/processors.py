"""Keeping a run that computes for long to its part of the processors.

Without this a run spreads: V8's helper threads use the processors that its neighbours need for
short work. So the run is held to a few processors. It is moved when it has to wait there while
other processors are idle. It is let go when all are taken: then the kernel shares more fairly.
While it is held, all others go before it on its processors. It cannot starve, because waiting lets
it go. Nobody coordinates this. Each shim looks for itself; when two see the same idle processor, a
coin keeps one back. Reasons: `docs/decisions/0053-a-long-computation-is-held.md`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.sandbox import processes

#: A run is held to one processor of every four, at least to one.
_PART = 4
#: A run is held only after this much processor time, seconds.
_FREE_SECONDS = 1.0
#: Shares of the time between two looks. A run that uses more than the first is computing; one
#: that waits for more than the second competes with another process for its processor.
_BUSY, _CROWDED = 0.6, 0.4
#: A processor that was idle for this share of the time has room for a run.
_ROOM = 0.5
#: With less idle time than this on all processors together, runs are not held.
_SPARE = 0.3


@dataclass(frozen=True, slots=True)
class Look:
    """What happened since the last look, as shares of the time in between."""

    used: float  # processor time of the run; above 1 when it uses several
    waited: float  # its main thread was ready and had no processor
    last: int  # the processor on which its main thread ran last
    idle: Mapping[int, float] = field(default_factory=dict)  # of each processor it may have


def place(look: Look, held: frozenset[int], *, coin: bool) -> frozenset[int]:
    """The processors to hold the run to; empty: do not hold it. `held`: where it is held now."""
    count = max(1, len(look.idle) // _PART)
    spare = sum(look.idle.values()) >= _SPARE
    if not held:
        if look.used < _BUSY or not spare or count >= len(look.idle):
            return held
        return _idlest(look, count, {look.last})
    if look.waited < _CROWDED:
        return held
    room = any(look.idle[number] >= _ROOM for number in look.idle if number not in held)
    if not room:
        return frozenset()
    return _idlest(look, count, set()) if coin else held


def _idlest(look: Look, count: int, kept: set[int]) -> frozenset[int]:
    others = sorted(set(look.idle) - kept, key=lambda number: -look.idle[number])
    return frozenset([*kept, *others][:count])


class Confinement:
    """Looks at one process and holds it to what `place` says. Never raises."""

    def __init__(
        self,
        pid: int,
        let_others_first: Callable[[int, bool], bool],
        rule: Callable[..., frozenset[int]] = place,
    ) -> None:
        self._pid = pid
        self._let_others_first = let_others_first
        self._rule = rule
        self._allowed = os.sched_getaffinity(0)
        self.held: frozenset[int] = frozenset()
        self._last = False  # all others go first
        self._before: Counters | None = None

    def look(self) -> None:
        """To be called twice a second or so, for as long as the run lasts."""
        if len(self._allowed) <= 1 or processes.cpu_ms(self._pid) < _FREE_SECONDS * 1000:
            return
        with suppress(OSError, ValueError, IndexError):
            now = Counters.read(self._pid, self._allowed)
            before, self._before = self._before, now
            if before is None or now.at - before.at <= 0:
                return
            held = self._rule(now.since(before), self.held, coin=os.urandom(1)[0] < 128)
            if held != self.held:
                _hold(self._pid, held or self._allowed)
                self.held = held
            last = bool(held)
            if last != self._last and self._let_others_first(self._pid, last):
                self._last = last

    def let_go(self) -> None:
        """The process is gone: what was set for its whole group is taken back."""
        if self._last and self._let_others_first(self._pid, False):
            self._last = False


@dataclass(frozen=True, slots=True)
class Counters:
    """Sums since boot or since the process began, in seconds."""

    at: float
    used: float
    waited: float
    last: int
    idle: dict[int, float]

    @classmethod
    def read(cls, pid: int, allowed: set[int]) -> Counters:
        waited = int(_text(f"/proc/{pid}/schedstat").split()[1]) / 1e9
        last = int(_text(f"/proc/{pid}/stat").rpartition(")")[2].split()[36])
        tick = os.sysconf("SC_CLK_TCK")
        idle = {}
        for row in _text("/proc/stat").splitlines():
            name, *numbers = row.split()
            if name.startswith("cpu") and name[3:].isdigit() and int(name[3:]) in allowed:
                idle[int(name[3:])] = (int(numbers[3]) + int(numbers[4])) / tick
        return cls(time.monotonic(), processes.cpu_ms(pid) / 1000, waited, last, idle)

    def since(self, before: Counters) -> Look:
        passed = self.at - before.at
        idle = {
            number: (sum_ - before.idle[number]) / passed
            for number, sum_ in self.idle.items()
            if number in before.idle  # else it was switched on just now
        }
        return Look(
            (self.used - before.used) / passed,
            (self.waited - before.waited) / passed,
            self.last,
            idle,
        )


def _hold(pid: int, processors: frozenset[int] | set[int]) -> None:
    """All threads there are; those to come take after the one that makes them."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(task.name), processors)


def _text(path: str) -> str:
    return Path(path).read_text(encoding="ascii", errors="replace")

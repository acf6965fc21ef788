"""What was done to the worker, and when: the causes that the ends of runs are held against."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

#: What a fault point does to the process that reaches it, if it may end the run in there.
DEADLY = frozenset({"kill", "error"})


@dataclass(slots=True)
class Blow:
    """One disturbance: its kind, when it was (Unix time), and the processes it struck."""

    kind: str
    began: float
    ended: float
    pids: frozenset[int] = frozenset()
    deadly: bool = False

    def within(self, since: float, until: float) -> bool:
        return self.began <= until and self.ended >= since

    def __str__(self) -> str:
        return f"{self.kind} at {self.began:.3f} of {sorted(self.pids)}"


@dataclass(slots=True)
class Ledger:
    """Every disturbance of one storm."""

    blows: list[Blow] = field(default_factory=list)
    _read: int = 0  # bytes of the fault points' log

    def add(self, kind: str, pids: Iterable[int] = (), *, deadly: bool = False) -> Blow:
        """Write down what is about to be done."""
        now = time.time()
        blow = Blow(kind, now, now, frozenset(pids), deadly)
        self.blows.append(blow)
        return blow

    @contextmanager
    def lasting(self, kind: str, pids: Iterable[int] = ()) -> Iterator[Blow]:
        """A disturbance that has an end."""
        blow = self.add(kind, pids)
        blow.ended = float("inf")
        try:
            yield blow
        finally:
            blow.ended = time.time()

    def read(self, struck: Path) -> list[Blow]:
        """Take over what fault points have struck since the last look (their log)."""
        if not struck.exists():
            return []
        with struck.open("rb") as file:
            file.seek(self._read)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        found = []
        for line in whole.splitlines():
            strike = json.loads(line)
            kind, action = f"{strike['action']} {strike['point']}", strike["action"]
            pids, when = frozenset({strike["pid"]}), strike["time"]
            found.append(Blow(kind, when, when, pids, action in DEADLY))
        self.blows += found
        return found

    def deadly(self, pids: Iterable[int], since: float, until: float) -> Blow | None:
        """What may have ended a run with these processes in this time."""
        struck = frozenset(pids)
        for blow in self.blows:
            if blow.deadly and blow.pids & struck and blow.within(since, until):
                return blow
        return None

    def during(self, kinds: Iterable[str], since: float, until: float) -> list[Blow]:
        """The disturbances of some kinds in this time."""
        wanted = set(kinds)
        return [b for b in self.blows if b.kind in wanted and b.within(since, until)]

    def counts(self) -> Counter[str]:
        """How often each kind was."""
        return Counter(blow.kind for blow in self.blows)

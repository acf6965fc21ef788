"""Capacity by memory: a run starts when its limit fits into what the worker may give out.

One event loop. Runs are admitted in the order in which they came, so that a large one is not
overtaken for ever by small ones.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

#: Memory of a worker beside its runs, mebibytes: supervisor, agent with its deliveries, standby.
OWN_MB = 300


def needed_mb(slots: int, run_mb: int, overhead_mb: int) -> int:
    """What a machine should have for a worker whose slots are all taken, mebibytes."""
    return slots * (run_mb + overhead_mb) + OWN_MB


class MemoryBudget:
    """What runs may use together. `total_mb` None: as much as their slots allow."""

    def __init__(self, total_mb: int | None) -> None:
        self.total_mb = total_mb
        self._held: dict[str, int] = {}
        self._waiting: deque[tuple[str, int, asyncio.Future[None]]] = deque()

    @property
    def free_mb(self) -> int:
        """What is not given out; below 0 when runs were found that are larger than the budget."""
        return 0 if self.total_mb is None else self.total_mb - sum(self._held.values())

    def fits(self, megabytes: int) -> bool:
        """Whether a run of this limit could start now, with nobody before it."""
        return self.total_mb is None or (not self._waiting and megabytes <= self.free_mb)

    def why(self, run_id: str) -> str | None:
        """What a run waits for, for a person; None if it does not wait for memory."""
        for waiting, megabytes, _ in self._waiting:
            if waiting == run_id:
                return f"{megabytes} MB of memory ({max(0, self.free_mb)} MB free)"
        return None

    @asynccontextmanager
    async def held(
        self, run_id: str, megabytes: int, *, running: bool = False
    ) -> AsyncIterator[None]:
        """Wait for so much and hold it; a run that is `running` has it already."""
        if not running and not self.fits(megabytes):
            await self._turn(run_id, megabytes)
        self._held[run_id] = megabytes
        try:
            yield
        finally:
            self._held.pop(run_id, None)
            self._admit()

    async def _turn(self, run_id: str, megabytes: int) -> None:
        entry = (run_id, megabytes, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        try:
            await entry[2]
        except asyncio.CancelledError:
            if entry in self._waiting:
                self._waiting.remove(entry)
            self._held.pop(run_id, None)
            self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting and self._waiting[0][1] <= self.free_mb:
            run_id, megabytes, turn = self._waiting.popleft()
            self._held[run_id] = megabytes  # held from now on, so that the next is judged rightly
            if not turn.done():
                turn.set_result(None)

"""Work beside the runs: it waits for a moment in which no run needs the worker, or for a second.

To put away what was delivered takes the disk and the processor from the run that comes next.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

#: The longest wait, seconds.
MOST_SECONDS = 1.0
_LOOK_SECONDS = 0.02


class Idle:
    """One event loop. `busy` says whether a run needs the worker now."""

    def __init__(self, busy: Callable[[], bool]) -> None:
        self._busy = busy
        self._waiting: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._looking: asyncio.Task[None] | None = None
        self._hurried = False

    async def turn(self) -> None:
        """Return when it is this one's turn; in the order of the calls."""
        if self._hurried or not (self._waiting or self._busy()):
            return
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append((loop.time() + MOST_SECONDS, turn))
        if self._looking is None:
            self._looking = loop.create_task(self._look())
        await turn

    def hurry(self) -> None:
        """Nobody waits any longer, now and later: the worker ends."""
        self._hurried = True

    async def _look(self) -> None:
        """Let one go at a time while nothing is to be done, and those that have waited enough."""
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                await asyncio.sleep(0 if self._hurried else _LOOK_SECONDS)
                free = self._hurried or not self._busy()
                if free or self._waiting[0][0] <= loop.time():
                    _, turn = self._waiting.popleft()
                    if not turn.done():
                        turn.set_result(None)
        finally:
            self._looking = None

"""The engine's first process: a worker claims no run before it is ready.

A run that comes earlier would start cold, while another worker could have it ready-made. The
engine tells by a byte on a pipe whose number is in HOLDFAST_READY.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable, Mapping

READY_VARIABLE = "HOLDFAST_READY"
NOT_READY = "its first process is not ready yet"
#: The longest wait. A busy machine may take longer; then a cold start is as good.
WAIT_SECONDS = 1.0


class FirstProcess:
    """`waits` is true until the process is ready, the engine is gone, or the time is up."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        number = environment.get(READY_VARIABLE, "")
        self._pipe = int(number) if number.isdecimal() and _is_pipe(int(number)) else None

    @property
    def waits(self) -> bool:
        return self._pipe is not None

    def watch(self, then: Callable[[], None]) -> None:
        """Call `then` once when there is nothing to wait for any more."""
        if self._pipe is None:
            return
        loop = asyncio.get_running_loop()

        def over() -> None:
            if self._pipe is not None:
                loop.remove_reader(self._pipe)
                os.close(self._pipe)
                self._pipe = None
                then()

        loop.add_reader(self._pipe, over)
        loop.call_later(WAIT_SECONDS, over)


def _is_pipe(descriptor: int) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(descriptor).st_mode)
    except (OSError, OverflowError):
        return False

"""A command of ours as a child process: started again when it ends, told to end when we stop."""

from __future__ import annotations

import asyncio
import ctypes
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from holdfast.cli import terminal

#: Pauses before a child that ended by itself is started again, seconds: first and longest.
_BACKOFF = (0.5, 30.0)
_PR_SET_PDEATHSIG = 1


class Kept:
    """One child. `name` is what people read of it, `ended` is told the id of each that ended."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        ended: Callable[[int], None] = lambda _pid: None,
    ) -> None:
        self._name, self._arguments, self._environment = name, arguments, environment
        self._ended = ended
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        #: The code with which its first process refused to start; 0: it did not.
        self.failed = 0

    async def keep(self) -> None:
        """Keep it running until `stop`; returns when the last one has ended."""
        pause, first = _BACKOFF[0], True
        while not self._stopping.is_set():
            started = asyncio.get_running_loop().time()
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "holdfast.cli.main", *self._arguments),
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                # A group of its own: Ctrl-C reaches it once, from us.
                process_group=0,
                preexec_fn=_end_with_parent,
            )
            if self._stopping.is_set():  # `stop` came while it was being made
                self.stop()
            code = await self._process.wait()
            lived = asyncio.get_running_loop().time() - started
            if first and lived < _BACKOFF[1] and not self._stopping.is_set():
                self.failed = max(code, 0)  # below 0: a signal ended it
            first = False
            self._ended(self._process.pid)
            if self._stopping.is_set():
                return
            pause = _BACKOFF[0] if lived > _BACKOFF[1] else min(pause * 2, _BACKOFF[1])
            terminal.note(f"{self._name} ended with code {code}; starting it again in {pause:g} s")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    def stop(self) -> None:
        """Ask it to end in order; a second call hurries a worker."""
        self._stopping.set()
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.terminate()


def _end_with_parent() -> None:
    """Runs in the child: should its parent be killed, it finishes what it has and ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

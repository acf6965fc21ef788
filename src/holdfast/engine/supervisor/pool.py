"""The shims of an engine: each serves one run at a time, and waits for the next one in between.

A fork of the supervisor for each run would copy half its memory each time. A shim says `idle+` or
`idle-` when it waits, with or without a process made ready. It says `ready` when that process can
be used, `used` when a run has taken it, and `wanted` when a run needed one and none was there.
A run that a zygote forks needs none.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from holdfast import log
from holdfast.engine.loop import Loop

#: A standby process is made this long after a run came, so that the run has the processor first.
_STANDBY_SECONDS = 0.05
#: After this long without a run, one shim fewer is kept.
_CALM_SECONDS = 30.0
#: Share of the machine's memory that must be free for a further standby process.
_SPARE_MEMORY = 0.1
#: Idle shims that are kept while runs come; in calm times one.
_IDLE = 16
#: A shim is replaced after so many runs, whatever it may have collected by then.
_RUNS = 500


@dataclass(slots=True)
class _Shim:
    channel: socket.socket
    tell: int  # a pipe that tells the folder of each run
    busy: bool
    ready: bool = False  # it has a standby process, or makes one
    runs: int = 0


class Pool:
    """`fork` starts a process that does some work with (channel, pipe); it raises OSError."""

    def __init__(
        self,
        loop: Loop,
        standby: int,
        fork: Callable[[socket.socket, int, socket.socket | None], int],
        may_prepare: Callable[[], bool],
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        self._loop = loop
        self._standby = standby
        self._runs = _RUNS if standby else 1  # who wants nothing to wait has no shims wait either
        self._fork = fork
        self._may_prepare = may_prepare
        self._on_ready = on_ready
        self._shims: dict[int, _Shim] = {}
        self._making: _Shim | None = None
        self._wanted = min(1, standby)  # standby processes

    def __contains__(self, pid: int) -> bool:
        return pid in self._shims

    def give(self, connection: socket.socket) -> None:
        """Hand a connection to a shim. Raises OSError when there is none and can be none."""
        for pid in sorted(self._idle(), key=lambda pid: not self._shims[pid].ready):
            shim = self._shims[pid]
            with suppress(OSError):
                socket.send_fds(shim.channel, [b"run"], [connection.fileno()])
                shim.busy = True
                shim.runs += 1
                return
        self._start(connection)

    def plan(self) -> None:
        """See to the number of standby processes soon: the run that has come goes first."""
        self._loop.after("calm", _CALM_SECONDS, self._calm)
        if self._standby:
            self._loop.after("standby", _STANDBY_SECONDS, self._prepare)

    def ended(self, pid: int) -> str:
        """A shim has ended; returns the folder of its last run, empty where it had none."""
        shim = self._shims.pop(pid)
        folder = _last_line(shim.tell)
        self._let_go(shim)
        if shim.ready and not shim.busy:  # what it had made ready has failed, most likely
            self._loop.after("standby", _CALM_SECONDS, self._prepare)
        return folder

    def kill(self) -> list[str]:
        """Kill every shim and wait for it; the folders of the runs that they had."""
        for pid in self._shims:
            os.kill(pid, signal.SIGKILL)  # not reaped yet, so it is ours
        for pid in self._shims:
            os.waitpid(pid, 0)
        return [folder for pid in list(self._shims) if (folder := self.ended(pid))]

    def close(self) -> None:
        """Let all shims go, which ends those that wait. In a child: they are not its own."""
        for shim in (*self._shims.values(), *((self._making,) if self._making else ())):
            os.close(shim.tell)
            shim.channel.close()

    def _idle(self) -> list[int]:
        return [pid for pid, shim in self._shims.items() if not shim.busy]

    def _more(self) -> None:
        """Runs come faster than they are prepared for: keep more of them ready."""
        self._wanted = min(self._wanted + 1, self._standby)

    def _start(self, connection: socket.socket | None) -> _Shim:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        tell, told = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        busy = connection is not None
        shim = self._making = _Shim(ours, tell, busy=busy, runs=int(busy))
        with theirs:
            try:
                pid = self._fork(theirs, told, connection)
            except OSError:
                ours.close()
                os.close(tell)
                raise
            finally:
                self._making = None
                os.close(told)
        self._shims[pid] = shim
        self._loop.read(ours.fileno(), lambda: self._hear(pid))
        return shim

    def _hear(self, pid: int) -> None:
        shim = self._shims[pid]
        try:
            word = shim.channel.recv(16)
        except OSError:
            word = b""
        if not word:
            self._loop.forget(shim.channel.fileno())  # its end is told by a signal as well
            return
        if word == b"ready":
            self._on_ready()
            return
        shim.ready = word == b"idle+"
        if word in (b"used", b"wanted") and self._standby:
            self._more()
        if word.startswith(b"idle"):
            shim.busy = False
            _last_line(shim.tell)
            if shim.runs >= self._runs or len(self._idle()) > _IDLE:
                self._dismiss(pid)
        self.plan()

    def _prepare(self) -> None:
        """Have one process made ready, if too few are."""
        ready = sum(shim.ready for shim in self._shims.values())
        if ready >= self._wanted or not self._may_prepare():
            return
        if memory_to_spare():
            bare = [self._shims[pid] for pid in self._idle() if not self._shims[pid].ready]
            try:
                shim = bare[0] if bare else self._start(None)
                shim.channel.send(b"prepare")
                shim.ready = True
            except OSError as error:
                log.error("process.not_started", process="standby", why=error.strerror)
                self._loop.after("standby", _CALM_SECONDS, self._prepare)
                return
        if ready + 1 < self._wanted:
            self._loop.after("standby", _STANDBY_SECONDS, self._prepare)

    def _calm(self) -> None:
        """Nothing came for a while: fewer need to wait."""
        least = min(1, self._standby)
        self._wanted = max(least, self._wanted - 1)
        idle = self._idle()
        spare = [pid for pid in idle if not self._shims[pid].ready]
        ready = [pid for pid in idle if self._shims[pid].ready]
        for pid in [*spare[1:], *ready[self._wanted :]]:
            self._dismiss(pid)
        self._loop.after("calm", _CALM_SECONDS, self._calm)

    def _dismiss(self, pid: int) -> None:
        """Let an idle shim end; it is one of ours until it has."""
        shim = self._shims[pid]
        shim.busy, shim.ready = True, False
        self._loop.forget(shim.channel.fileno())
        shim.channel.shutdown(socket.SHUT_RDWR)

    def _let_go(self, shim: _Shim) -> None:
        self._loop.forget(shim.channel.fileno())
        shim.channel.close()
        os.close(shim.tell)


def _last_line(pipe: int) -> str:
    """The last line that has come on a pipe, which is emptied."""
    text = b""
    with suppress(BlockingIOError):
        while piece := os.read(pipe, 65536):
            text = text[-4096:] + piece
    return text.decode().strip().rpartition("\n")[2]


def memory_to_spare() -> bool:
    """Whether the machine has room for a process that only waits."""
    return _available_share() > _SPARE_MEMORY


def _available_share() -> float:
    """Share of the machine's memory that could be had now; 1 where nobody says."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        fields = {line.split(":")[0]: int(line.split()[1]) for line in lines}
        return fields["MemAvailable"] / fields["MemTotal"]
    except (OSError, KeyError, ValueError, IndexError):
        return 1.0

"""The run process: compiler and Node.js in one resource group, as the shim sees them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from holdfast.engine.frames import FromRun
from holdfast.engine.loop import Loop
from holdfast.engine.shim.pipes import Inlet, Outlet, Tail, pipe
from holdfast.sandbox import processes
from holdfast.sandbox.spawn import spawn
from holdfast.sandbox.spec import Spec, Started


@dataclass(frozen=True, slots=True)
class End:
    """How a process ended. Exactly one of `code` and `signal` is set."""

    code: int | None
    signal: str | None
    cpu_ms: int


class Process:
    """A started process with its pipes."""

    def __init__(self, name: str, loop: Loop, on_frame: Callable[[str, int, bytes], None]) -> None:
        self.name = name
        self.end: End | None = None
        self.pid = 0  # until it is started
        self.started: int | None = None
        self.ready = False  # whether it has said that it waits for its run
        self._broker: int | None = None  # descriptor of its connect() calls, if there is one
        self._loop = loop
        self._on_frame = on_frame

    def start(self, spec: Spec, on_end: Callable[[Process], None]) -> None:
        """Start it; `spec.descriptors` are made here. Raises SpawnError."""
        into, out, plain, error = pipe(), pipe(), pipe(), pipe()
        theirs = {0: into[0], 1: plain[1], 2: error[1], 3: out[1]}
        spec.descriptors = theirs
        try:
            started = spawn(spec)
        except OSError:
            for descriptor in (into[1], plain[0], error[0], out[0]):
                os.close(descriptor)
            raise
        finally:
            for descriptor in theirs.values():
                os.close(descriptor)
        self._kept = started.kept
        self._take(started, (into[1], plain[0], error[0], out[0]), on_end)

    def _take(
        self,
        started: Started,
        ends: tuple[int, int, int, int],
        on_end: Callable[[Process], None],
    ) -> None:
        """Follow a process that has been started. `ends`: ours of its pipes 0 to 3."""
        into, plain, error, out = ends
        self.pid, self.pidfd, self._broker = started.pid, started.pidfd, started.broker
        self.started = processes.start_time(self.pid)
        self.outlet = Outlet(self._loop, into)
        self.inlet = Inlet(self._loop, out, self._frame, lambda: None)
        self.plain, self.error = Tail(self._loop, plain), Tail(self._loop, error)
        self._loop.read(self.pidfd, lambda: self._exited(on_end))

    def take_broker(self) -> int | None:
        """The descriptor of its connect() calls, for its caller to close; None: there is none."""
        broker, self._broker = self._broker, None
        return broker

    def drain(self) -> None:
        """Take what is left in the pipes of a process that is gone, and let go of them."""
        self.inlet.drain()
        self.inlet.close()
        self.outlet.close()
        self.plain.drain()
        self.error.drain()

    def kill(self) -> None:
        """Send SIGKILL, if it may still run, and do not wait for the end."""
        if self.pid and self.end is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def interrupt(self) -> None:
        """Ask Node.js for its stack: SIGINT, by its handle."""
        if self.pid and self.end is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGINT)

    def cpu_ms(self) -> int:
        """Processor time of the process, up to now or in all."""
        if self.end is not None:
            return self.end.cpu_ms
        return processes.cpu_ms(self.pid) if self.pid else 0

    def _frame(self, kind: int, body: bytes) -> None:
        self.ready |= kind == FromRun.READY
        self._on_frame(self.name, kind, body)

    def _exited(self, on_end: Callable[[Process], None]) -> None:
        self.reap()
        on_end(self)

    def reap(self) -> None:
        """Wait for the process and keep how it ended."""
        self._loop.forget(self.pidfd)
        status, cpu = self._status()
        broker = self.take_broker()  # of a process that has had no run
        for handle in (self.pidfd, *self._kept, *(() if broker is None else (broker,))):
            os.close(handle)
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            name = f"SIG{number}"
            with suppress(ValueError):
                name = signal.Signals(number).name
            self.end = End(None, name, cpu)
        else:
            self.end = End(os.WEXITSTATUS(status), None, cpu)

    def _status(self) -> tuple[int, int]:
        """Wait for the end: status as the kernel gives it, processor time in ms."""
        _, status, usage = os.wait4(self.pid, 0)
        return status, round((usage.ru_utime + usage.ru_stime) * 1000)

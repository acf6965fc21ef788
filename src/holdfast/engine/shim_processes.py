"""The run process: compiler and Node.js in one resource group, as the shim sees them."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from holdfast.engine.config import EngineConfig
from holdfast.engine.shim_loop import Loop
from holdfast.engine.shim_pipes import Inlet, Outlet, Tail, pipe
from holdfast.model.limits import MEBIBYTE, Limits
from holdfast.sandbox import processes
from holdfast.sandbox.groups import Group
from holdfast.sandbox.spawn import spawn
from holdfast.sandbox.spec import Layer, Spec

_NICE = 5
#: Memory that is no JavaScript heap: Node itself, compiled code, buffers, the compiler.
_RESERVE_SHARE, _RESERVE_MB = 0.15, 40
#: V8's young generation. A larger one makes the overrun before a clean report larger.
_SEMI_SPACE_MB = 4
_LAYERS = frozenset({Layer.CLEAN, Layer.RLIMITS, Layer.NO_NEW_PRIVILEGES})


def heap_limit(memory_mb: int) -> int:
    """V8's heap limit in MB for a memory limit, so that most overruns end in V8's own report."""
    return memory_mb - max(_RESERVE_MB, round(memory_mb * _RESERVE_SHARE))


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
        self.pid, self.pidfd = started.pid, started.pidfd
        self.started = processes.start_time(self.pid)
        self.outlet = Outlet(self._loop, into[1])
        self.inlet = Inlet(self._loop, out[0], self._frame, lambda: None)
        self.plain, self.error = Tail(self._loop, plain[0]), Tail(self._loop, error[0])
        self._loop.read(self.pidfd, lambda: self._exited(on_end))

    def drain(self) -> None:
        """Take what is left in the pipes of a process that is gone, and let go of them."""
        self.inlet.drain()
        self.inlet.close()
        self.outlet.close()
        self.plain.drain()
        self.error.drain()

    def _frame(self, kind: int, body: bytes) -> None:
        self._on_frame(self.name, kind, body)

    def _exited(self, on_end: Callable[[Process], None]) -> None:
        self.reap()
        on_end(self)

    def reap(self) -> None:
        """Wait for the process and keep how it ended."""
        self._loop.forget(self.pidfd)
        os.close(self.pidfd)
        _, status, usage = os.wait4(self.pid, 0)
        cpu = round((usage.ru_utime + usage.ru_stime) * 1000)
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            name = f"SIG{number}"
            with suppress(ValueError):
                name = signal.Signals(number).name
            self.end = End(None, name, cpu)
        else:
            self.end = End(os.WEXITSTATUS(status), None, cpu)


def engine_spec(config: EngineConfig, group: Group, limits: Limits, scratch: Path) -> Spec:
    """Node.js, told of its heap limit."""
    flags = (
        f"--max-old-space-size={heap_limit(limits.memory_mb)}",
        f"--max-semi-space-size={_SEMI_SPACE_MB}",
        "--experimental-vm-modules",
        "--expose-internals",  # where in a text V8 found a syntax error (javascript/syntax.mjs)
        "--disable-warning=ExperimentalWarning",
    )
    return Spec(
        group,
        {},
        argv=(str(config.node), *flags, str(config.program)),
        scratch=scratch,
        rlimits=_rlimits(group, limits),
        layers=_LAYERS,
        niceness=_NICE,
    )


def compiler_spec(group: Group, limits: Limits, scratch: Path) -> Spec:
    """The compiler: a fork of this process."""
    return Spec(
        group,
        {},
        call=_compile,
        scratch=scratch,
        rlimits=_rlimits(group, limits),
        layers=_LAYERS,
        niceness=_NICE,
    )


def _compile() -> None:
    # Loaded only here: the parser is no part of a supervisor or a shim.
    from holdfast.engine.compile_process import main  # noqa: PLC0415

    main()


def _rlimits(group: Group, limits: Limits) -> dict[int, int]:
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_FSIZE: limits.scratch_mb * MEBIBYTE,
        resource.RLIMIT_MEMLOCK: 64 * 1024,
    }
    if group.means == "sampling":
        # A hard stop above the sampled limit: private memory that may be written to. Node maps
        # some 200 MB of it that is never touched.
        wanted[resource.RLIMIT_DATA] = round(limits.memory_bytes * 1.25) + 256 * MEBIBYTE
    return wanted

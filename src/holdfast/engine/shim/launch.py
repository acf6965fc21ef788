"""Compiler and engine of one run as one object: one resource group, one isolation.

They can be started before there is a run (standby). They then serve any run with the same limits
and the same files.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from holdfast import log
from holdfast.engine.config import EngineConfig, EngineError
from holdfast.engine.frames import Control, Decoder
from holdfast.engine.host import Host
from holdfast.engine.loop import Loop
from holdfast.engine.request import RunRequest
from holdfast.engine.shim.processes import Process
from holdfast.engine.shim.walls import Walls
from holdfast.engine.zygote.child import ChildProcess
from holdfast.journal import JournalReader, RunFolder
from holdfast.model.limits import MEBIBYTE, Limits
from holdfast.model.record import Kind
from holdfast.sandbox import folders
from holdfast.sandbox.spec import Layer, Network

#: Credentials and options together; the largest thing an agent sends in one piece.
_MAX_LAUNCH = 32 * MEBIBYTE
_LAUNCH_PATIENCE_SECONDS = 30.0


class Lane(StrEnum):
    """Where the engine of a run has come from; in its LAUNCHED record."""

    ZYGOTE = "zygote"  # a child of a process that has loaded its adaptors
    STANDBY = "standby"  # a process that waited for a run
    COLD = "cold"  # a process that was started for it


class RunProcess:
    """Made for some limits, network and adaptors; used for one run at most.

    `audience` says which runs may use it (`standby.audience_of`); None while nothing but our own
    code is loaded: any run that fits.

    `on_frame` and `on_end` may be set again before the run begins. OSError when the kernel
    refuses the group or the processes.
    """

    def __init__(
        self,
        config: EngineConfig,
        host: Host,
        loop: Loop,
        limits: Limits,
        *,
        network: Network = Network.BROKER,
        roots: tuple[Path, ...] = (),
        label: str = "standby",
        keeper: socket.socket | None = None,
    ) -> None:
        self.lane = Lane.COLD
        self.audience: str | None = None
        self.limits = limits
        self.network = network
        self.name = f"{label[:100]}-{os.getpid()}"
        self.scratch = config.data / "scratch" / self.name
        self.group = host.groups.create(self.name, limits.memory_bytes)
        self.group.limit_processes(limits.processes)
        self.walls = Walls(config, host, limits, self.scratch, os.getpid(), network, roots)
        self.on_frame: Callable[[str, int, bytes], None] = lambda *_: None
        self.on_end: Callable[[Process], None] = lambda _: None
        self.compiler = Process("compiler", loop, self._frame)
        self.engine = Process("engine", loop, self._frame)
        self._steps = 0  # that had a process of their own
        if keeper is not None:
            self.engine = ChildProcess("engine", loop, self._frame, keeper)
            self.lane = Lane.ZYGOTE
        self._loop = loop
        self._store = config.store.resolve() if config.store is not None else None
        self._seen = _opened(self._store)

    @property
    def own_files(self) -> bool:
        """Whether scratch is a file system of its own, with a limit of its own."""
        return Layer.NAMESPACES in self.walls.layers

    @property
    def pids(self) -> list[int]:
        """Processes that have been started."""
        return [item.pid for item in (self.engine, self.compiler) if item.pid]

    def start(self) -> None:
        """Start both processes. OSError (with the step in its text) when one cannot be."""
        self.lane = Lane.STANDBY
        self.start_engine()
        self.start_compiler()

    def start_engine(self) -> None:
        """Start Node.js, or have it forked. OSError (with the step in its text)."""
        if isinstance(self.engine, ChildProcess):
            try:
                self.engine.ask(self.network, self.group, self._end)
            except OSError as error:
                log.warn("run.not_forked", why=str(error))
                self.engine = Process("engine", self._loop, self._frame)
                self.lane = Lane.COLD
            else:
                return
        self.scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.engine.start(self.walls.engine(self.group), self._end)

    def start_compiler(self) -> None:
        """Start the compiler. OSError (with the step in its text)."""
        self.scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.compiler.start(self.walls.compiler(self.group), self._end)

    def start_step(self) -> Process:
        """Start a process for one step, with a scratch folder of its own. OSError as `start`."""
        self._steps += 1
        process = Process("step", self._loop, self._frame)
        scratch = self.scratch / f"step-{self._steps}"
        scratch.mkdir(mode=0o700)
        process.start(replace(self.walls, scratch=scratch).engine(self.group), self._end)
        return process

    @property
    def layers(self) -> list[Layer]:
        """The layers around the engine. Children of one zygote have one user, and one network."""
        if self.lane is not Lane.ZYGOTE:
            return sorted(self.walls.layers)
        lacking = {Layer.UID, Layer.NETWORK}
        if self.network is Network.NONE:
            lacking.add(Layer.EGRESS)
        return sorted(self.walls.host.grants.layers - lacking)

    def fits(
        self, limits: Limits, network: Network, roots: tuple[Path, ...], audience: str | None
    ) -> bool:
        """Whether a run with these wishes may use this process."""
        if self.audience is not None and self.audience != audience:
            return False
        # A broker can refuse everything; it cannot be taken away.
        stricter = self.network is Network.BROKER and network is Network.NONE
        if network is not self.network and not stricter:
            return False
        if self._limits_of(limits) != self._limits_of(self.limits):
            return False
        if not roots:
            return True
        # The walls let through the folder that was there when they were built, if any was.
        store, seen = self._store, self._seen
        if store is None or seen is None or not _is_still(seen, store):
            return False
        return all(root.is_relative_to(store) for root in roots)

    def discard(self) -> None:
        """End the processes and give back what they held."""
        self.group.kill()
        for process in (self.engine, self.compiler):
            if process.pid and process.end is None:
                process.reap()
            if process.pid:
                with suppress(OSError):
                    process.drain()
        self.clear()

    def clear(self) -> None:
        """Give back group and scratch of processes that are gone."""
        if self._seen is not None:
            os.close(self._seen)
            self._seen = None
        self.group.remove()
        with suppress(OSError):  # the supervisor's next look around tries it again
            folders.remove(self.scratch)

    @staticmethod
    def _limits_of(limits: Limits) -> tuple[int, ...]:
        memory = (limits.memory_mb, limits.overhead_mb)
        return (*memory, limits.scratch_mb, limits.processes, limits.open_files)

    def _frame(self, sender: str, kind: int, body: bytes) -> None:
        self.on_frame(sender, kind, body)

    def _end(self, process: Process) -> None:
        self.on_end(process)


def _opened(folder: Path | None) -> int | None:
    """A handle on this very folder, whatever its name comes to mean; None when there is none."""
    try:
        return None if folder is None else os.open(folder, os.O_PATH | os.O_DIRECTORY)
    except OSError:
        return None


def _is_still(handle: int, folder: Path) -> bool:
    """Whether the name of the folder still means the one of the handle."""
    try:
        return os.path.samestat(os.fstat(handle), folder.stat())
    except OSError:
        return False


def refuse_second_launch(folder: RunFolder) -> None:
    """Refuse a run that had a process before, or that was ended without one. EngineError.

    A launch may be heard late: by a second shim, or when who asked for it has given it up.
    """
    with JournalReader(folder.journal) as reader:
        if any(record.kind in (Kind.LAUNCHED, Kind.OUTCOME) for record in reader.read()):
            message = "This run has been launched or ended before; no run is executed twice."
            raise EngineError(message)


def receive_launch(connection: socket.socket) -> RunRequest:
    """Read the LAUNCH frame. Raises EngineError, FrameError, OSError."""
    connection.settimeout(_LAUNCH_PATIENCE_SECONDS)
    decoder = Decoder(max_body=_MAX_LAUNCH)
    while True:
        data = connection.recv(256 * 1024)
        if not data:
            message = "the connection was closed before a run was asked for"
            raise ConnectionResetError(message)
        for kind, body in decoder.feed(data):
            if kind != Control.LAUNCH:
                message = f"A frame of type {kind} came where LAUNCH was expected."
                raise EngineError(message)
            return RunRequest.decode(body)

"""The keepers of an engine's zygotes: which are wanted, which are there, which cannot be."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from holdfast import log
from holdfast.engine.config import EngineConfig
from holdfast.engine.loop import Loop
from holdfast.engine.supervisor.pool import memory_to_spare
from holdfast.engine.zygote import kinds
from holdfast.engine.zygote.rule import Choice

#: Soon enough for a run that waits for one; a look at a folder.
_LOOK_SECONDS = 0.1
#: With no run for so long there is nothing to look for but kinds that are wanted no more. Where
#: every run has to be forked, one may note its kind after the look that it has caused.
_IDLE_SECONDS, _FORCED_SECONDS = 10.0, 0.5


@dataclass(slots=True)
class _Keeper:
    name: str
    channel: socket.socket
    ready: bool = False
    old: bool = False


class Keepers:
    """`fork` starts a keeper for a name and returns its process id; it raises OSError."""

    def __init__(
        self,
        loop: Loop,
        config: EngineConfig,
        fork: Callable[[str, socket.socket], int],
        on_settled: Callable[[], None] = lambda: None,
    ) -> None:
        self._loop = loop
        self._config = config
        self._fork = fork
        self._on_settled = on_settled
        self._keepers: dict[int, _Keeper] = {}
        self._making: socket.socket | None = None
        self._unfit: set[str] = set()

    def __contains__(self, pid: int) -> bool:
        return pid in self._keepers

    @property
    def settled(self) -> bool:
        """Whether none is being made."""
        return all(keeper.ready for keeper in self._keepers.values())

    def plan(self) -> None:
        """Look soon: a run has come, and may have been the first of a kind."""
        if not self._loop.has("zygotes soon"):
            self._loop.after("zygotes soon", _LOOK_SECONDS, self.look)

    def ended(self, pid: int) -> None:
        """A keeper has ended."""
        keeper = self._keepers.pop(pid)
        if not keeper.ready and keeper.name not in self._unfit:
            self._refuse(keeper.name, "its keeper ended")
        self._let_go(keeper)
        self._on_settled()

    def close(self) -> None:
        """Let all go: they end when their last child has. In a child: they are not its own."""
        if self._making is not None:
            self._making.close()
        for keeper in self._keepers.values():
            keeper.channel.close()

    def look(self) -> None:
        """Make what is wanted and lacks, one at a time, and let go of what is not wanted."""
        wanted = kinds.wanted(self._config, {keeper.name for keeper in self._keepers.values()})
        present = {keeper.name for keeper in self._keepers.values() if not keeper.old}
        for pid, keeper in self._keepers.items():
            if keeper.name not in wanted and keeper.ready:
                self._retire(pid)
        for name in wanted:
            if name not in present and name not in self._unfit and memory_to_spare():
                self._make(name)
                break  # one at a time: each takes a processor while it is made
        forced = self._config.lane == Choice.ZYGOTE
        self._loop.after("zygotes", _FORCED_SECONDS if forced else _IDLE_SECONDS, self.look)

    def _make(self, name: str) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._making = ours
        with theirs:
            try:
                pid = self._fork(name, theirs)
            except OSError as error:
                ours.close()
                log.error("process.not_started", process="zygote", why=error.strerror)
                return
            finally:
                self._making = None
        self._keepers[pid] = _Keeper(name, ours)
        self._loop.read(ours.fileno(), lambda: self._hear(pid))

    def _hear(self, pid: int) -> None:
        keeper = self._keepers[pid]
        try:
            word = keeper.channel.recv(4096).decode(errors="replace")
        except OSError:
            word = ""
        if word == "ready":
            keeper.ready = True
            log.info("zygote.ready", kind=keeper.name, pid=pid)
            for other, former in self._keepers.items():
                if other != pid and former.name == keeper.name and former.ready:
                    self._retire(other)
            self.plan()
            self._on_settled()
        elif word == "old":
            keeper.old = True
            self.plan()
        elif word.startswith("unfit "):
            self._refuse(keeper.name, word.removeprefix("unfit "))
        else:
            self._loop.forget(keeper.channel.fileno())

    def _refuse(self, name: str, why: str) -> None:
        self._unfit.add(name)
        kinds.refuse(self._config, name)
        log.warn("zygote.unfit", kind=name, why=why)

    def _retire(self, pid: int) -> None:
        keeper = self._keepers[pid]
        keeper.old, keeper.ready = True, True
        with suppress(OSError):
            self._loop.forget(keeper.channel.fileno())
            keeper.channel.shutdown(socket.SHUT_RDWR)

    def _let_go(self, keeper: _Keeper) -> None:
        with suppress(OSError):
            self._loop.forget(keeper.channel.fileno())
        keeper.channel.close()

"""Watching what a run uses: memory (enforced here where the kernel does not), scratch space."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from holdfast.engine.loop import Loop
from holdfast.engine.shim.recorder import Recorder
from holdfast.journal import JournalFull
from holdfast.model import bodies
from holdfast.model.evidence import Stop
from holdfast.model.limits import MEBIBYTE, Limits
from holdfast.model.record import Kind
from holdfast.sandbox import folders, processes
from holdfast.sandbox.groups import Group
from holdfast.sandbox.processors import Confinement

#: Between two looks where the kernel enforces the limit: only for the timeline.
_CALM_SECONDS = 0.5
#: Bounds of the same where we do: never faster than this ...
_FASTEST_SECONDS = 0.005
#: ... and as much slower as memory can be filled before the limit. Bytes a second.
_FILL_RATE = 2 * 1024 * MEBIBYTE
#: A sample is written when memory changed by this share of the limit, or after this long and this
#: share of the run's age: a long run has some hundred of them at most ...
_CHANGE = 0.05
_QUIET_SECONDS, _QUIET_SHARE = 2.0, 0.05
#: ... or when the share of a processor that was used changed by this much over half a second.
_BUSIER, _BUSY_SECONDS = 0.25, 0.5
#: A run this full for so many looks only makes the kernel drop and read its code again and again,
#: which slows its neighbours down: it is over its limit in all but name.
_FULL, _FULL_LOOKS = 0.97, 4
_SCRATCH_SECONDS = 0.5
#: Looking through scratch goes on in pieces this long, with pauses, so that nothing else waits.
_PIECE_SECONDS, _PAUSE_SECONDS = 0.005, 0.005
#: Files without a name are looked for so many times more seldom than that takes, at most as above:
#: a process may map very many files.
_NAMELESS_PAUSE = 20
#: So many looks in a row that could not be ended, because folders moved under them, end the run.
_MOVED_LOOKS = 10
_PROCESSOR_SECONDS = 0.5


class Watch:
    """Samples one run until it is stopped."""

    def __init__(
        self,
        loop: Loop,
        group: Group,
        recorder: Recorder,
        limits: Limits,
        stop: Callable[[Stop, str | None], None],
    ) -> None:
        self._loop = loop
        self._group = group
        self._recorder = recorder
        self._limits = limits
        self._stop = stop
        self._written = (0, 0.0)  # bytes, monotonic seconds
        self._begun = time.monotonic()
        self._spent = (0, 0.0)  # milliseconds of a processor, and the share that they were
        self._event: int | None = None
        self._full = 0  # looks in a row at which memory was full
        #: A folder on a disk that has no limit of its own; None when scratch is a tmpfs.
        self.scratch: Path | None = None
        self._walk: Iterator[int] = iter(())
        self._moved = 0  # looks at scratch in a row that could not be ended
        self._engine = 0

    def start(self, engine: int) -> None:
        """Begin with a first look. `engine`: the process that computes."""
        self._engine = engine
        self._loop.after("processors", _PROCESSOR_SECONDS, self._confine)
        self._confinement = Confinement(engine, self._group.let_others_first)
        self._event = self._group.watch()
        if self._event is not None:
            self._loop.read(self._event, self._kernel_event)
        self._look()
        if self.scratch is not None:
            self._loop.after("scratch", _SCRATCH_SECONDS, self._measure_scratch)

    def follow(self, engine: int) -> None:
        """Another process computes from now on."""
        self._engine = engine
        self._confinement.let_go()
        self._confinement = Confinement(engine, self._group.let_others_first)

    def stop(self) -> None:
        """No further looks."""
        for timer in ("memory", "scratch", "processors"):
            self._loop.at(timer, None)
        if self._event is not None:
            self._loop.forget(self._event)
            self._event = None

    def _look(self) -> None:
        used, limit = self._group.usage(), self._limits.memory_bytes
        self._write(used, limit)
        wait = _CALM_SECONDS
        if self._group.means != "sampling":
            full = self._group.unreclaimable() > limit * _FULL
            self._full = self._full + 1 if full else 0
            if self._full >= _FULL_LOOKS:
                self._stop(Stop.MEMORY, "there was no room left to work in")
                return
        else:
            if used > limit:
                self._stop(Stop.MEMORY, None)
                return
            wait = min(wait, max(_FASTEST_SECONDS, (limit - used) / _FILL_RATE))
        most = self._limits.processes
        if (threads := self._group.threads(most)) > most:
            self._stop(Stop.PROTOCOL, f"it has {threads} threads, and {most} are allowed")
            return
        self._loop.after("memory", wait, self._look)

    def _write(self, used: int, limit: int) -> None:
        last, when = self._written
        now = time.monotonic()
        spent, share = processes.cpu_ms(self._engine), self._spent[1]
        if now - when >= _BUSY_SECONDS:
            share = max(0, spent - self._spent[0]) / 1000 / (now - when)
        quiet = max(_QUIET_SECONDS, (now - self._begun) * _QUIET_SHARE)
        calm = abs(used - last) < limit * _CHANGE and now - when < quiet
        if calm and abs(share - self._spent[1]) < _BUSIER:
            return
        self._written, self._spent = (used, now), (spent, share)
        sample: bodies.Sample = {
            "memory_mb": round(used / MEBIBYTE, 1),
            "cpu_ms": spent,
            "at": time.time_ns() // 1000,
        }
        with suppress(JournalFull):  # samples are the first thing to do without
            self._recorder.append(Kind.SAMPLE, sample)

    def _kernel_event(self) -> None:
        assert self._event is not None
        with suppress(OSError):
            os.read(self._event, 8)
        if self._group.oom_kills():
            self._stop(Stop.MEMORY, "the kernel ended it")

    def _confine(self) -> None:
        self._confinement.look()
        self._loop.after("processors", _PROCESSOR_SECONDS, self._confine)

    def _measure_scratch(self) -> None:
        assert self.scratch is not None
        self._walk = folders.usage(self.scratch)
        self._measure_on()

    def _measure_on(self) -> None:
        """Look through scratch for a while; the rest comes later."""
        assert self.scratch is not None
        wait = _SCRATCH_SECONDS
        until = time.monotonic() + _PIECE_SECONDS
        room = self._limits.scratch_mb * MEBIBYTE
        try:
            used, why = 0, ""
            for used in self._walk:
                if used > room or time.monotonic() > until:
                    break
            else:
                begun = time.monotonic()
                used += folders.nameless_usage(self._engine)
                if folders.maps_nameless(self._engine, self.scratch):
                    # no limit of a file's size holds for many of them
                    why = "it maps a file that has no name any more, whose size cannot be seen"
                wait = max(wait, (time.monotonic() - begun) * _NAMELESS_PAUSE)
                until = float("inf")
                self._moved = 0
        except (
            OSError
        ):  # the run changes it meanwhile, and is not to look like a fault of the disk
            self._moved += 1
            until = float("inf")
        if used > room:
            why = f"limit {self._limits.scratch_mb} MB"
        elif self._moved >= _MOVED_LOOKS:
            why = "its folders change faster than they can be measured"
        if why:
            self._stop(Stop.SCRATCH, why)
        elif time.monotonic() > until:
            self._loop.after("scratch", _PAUSE_SECONDS, self._measure_on)
        else:
            self._loop.after("scratch", wait, self._measure_scratch)

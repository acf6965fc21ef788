"""The shim's event loop: descriptors and deadlines, one thread, nothing else."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from contextlib import suppress

Callback = Callable[[], object]


class Loop:
    """Calls back when a descriptor is ready or a time has come. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._readers: dict[int, Callback] = {}
        self._writers: dict[int, Callback] = {}
        self._timers: dict[str, tuple[float, Callback]] = {}

    def read(self, descriptor: int, callback: Callback | None) -> None:
        """Watch for input (and for the other side's end); None stops watching."""
        self._set(self._readers, descriptor, callback)

    def write(self, descriptor: int, callback: Callback | None) -> None:
        """Watch for room to write; None stops watching."""
        self._set(self._writers, descriptor, callback)

    def forget(self, descriptor: int) -> None:
        """Stop watching a descriptor altogether, before it is closed."""
        self.read(descriptor, None)
        self.write(descriptor, None)

    def at(self, name: str, when: float | None, callback: Callback | None = None) -> None:
        """Set, move or (with None) take away the timer of this name."""
        if when is None or callback is None:
            self._timers.pop(name, None)
        else:
            self._timers[name] = (when, callback)

    def has(self, name: str) -> bool:
        """Whether the timer of this name is set."""
        return name in self._timers

    def after(self, name: str, seconds: float, callback: Callback) -> None:
        """Set the timer of this name, counted from now."""
        self.at(name, time.monotonic() + seconds, callback)

    def turn(self) -> None:
        """Wait for something to happen, and call back for all that did."""
        wait: float | None = None
        if self._timers:
            first = min(when for when, _ in self._timers.values())
            wait = max(0.0, first - time.monotonic()) * 1000 + 0.5
        for descriptor, events in self._poll.poll(wait):
            # An earlier callback of this turn may have taken this one away.
            if events & ~select.POLLOUT and descriptor in self._readers:
                self._readers[descriptor]()
            if events & ~select.POLLIN and descriptor in self._writers:
                self._writers[descriptor]()
        now = time.monotonic()
        due = [name for name, (when, _) in self._timers.items() if when <= now]
        for name in due:
            entry = self._timers.pop(name, None)
            if entry is not None:
                entry[1]()

    def _set(self, table: dict[int, Callback], descriptor: int, callback: Callback | None) -> None:
        if callback is None:
            table.pop(descriptor, None)
        else:
            table[descriptor] = callback
        events = (select.POLLIN if descriptor in self._readers else 0) | (
            select.POLLOUT if descriptor in self._writers else 0
        )
        if events:
            self._poll.register(descriptor, events)
        elif callback is None:
            with suppress(KeyError):  # it was not watched
                self._poll.unregister(descriptor)

"""Turns at something costly: few at once, one for each owner, and not many who wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from holdfast.platform.access.places import Places


class BusyError(Exception):
    """Too many wait already, of all or of this owner."""


class Turns:
    """`at_once` together; with those who wait at most `most`, and `most_each` of one owner.

    For one event loop.
    """

    def __init__(self, at_once: int, most: int, most_each: int) -> None:
        self._running = asyncio.Semaphore(at_once)
        self.places = Places(most, most_each)
        self._owners: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def take(self, owner: str) -> AsyncIterator[None]:
        """Wait for a turn and hold it for the time of the block. Raises BusyError."""
        if not self.places.has_room(owner):
            raise BusyError
        own = self._owners.setdefault(owner, asyncio.Lock())
        with self.places.take(owner):
            async with own, self._running:
                yield

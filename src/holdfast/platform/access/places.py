"""Limits for long requests: live pages, and requests that wait for their run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Places:
    """A limit for all together, and one for each owner. For one event loop."""

    def __init__(self, most: int, most_each: int) -> None:
        self._most = most
        self._most_each = most_each
        self._taken: Counter[str] = Counter()

    def has_room(self, owner: str) -> bool:
        """Whether this owner may take one more."""
        return self._taken.total() < self._most and self._taken[owner] < self._most_each

    @contextmanager
    def take(self, owner: str) -> Iterator[None]:
        """Take a place for the time of the block."""
        self._taken[owner] += 1
        try:
            yield
        finally:
            self._taken[owner] -= 1
            if not self._taken[owner]:
                del self._taken[owner]

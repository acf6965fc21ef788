"""Who wants to know what happened: notices of committed transactions, sent to watchers.

Topics: `run:<id>`, `runs` (any run changed state), `queue` (a run became available), `workers`.
A watcher that falls behind loses notices and is told so once (`what="missed"`): it then reads
the database again, which is the truth.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from holdfast.platform.store.notice import Notice

WAITING = 1000  # notices one watcher may leave unread


class Hub:
    """In-process publish and subscribe, on one event loop."""

    def __init__(self) -> None:
        self._watchers: dict[str, set[asyncio.Queue[Notice]]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self.closed = False

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()

    def close(self) -> None:
        """The platform is stopping: tell all watchers to end."""
        self.closed = True
        self.publish([Notice(topic, "closing") for topic in self._watchers])

    def publish_from_thread(self, notices: list[Notice]) -> None:
        """What the database calls after a commit."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.publish, notices)

    def missed_from_thread(self) -> None:
        """Notices may have been lost: everybody looks again."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._missed)

    def _missed(self) -> None:
        self.publish([Notice(topic, "missed") for topic in self._watchers])

    def publish(self, notices: list[Notice]) -> None:
        for notice in notices:
            for watcher in self._watchers.get(notice.topic, ()):
                if watcher.qsize() < WAITING:
                    watcher.put_nowait(notice)
                elif watcher.qsize() == WAITING:
                    watcher.put_nowait(Notice(notice.topic, "missed"))

    @contextmanager
    def watch(self, *topics: str) -> Iterator[asyncio.Queue[Notice]]:
        """A queue of the notices of these topics, for as long as the block lasts."""
        watcher: asyncio.Queue[Notice] = asyncio.Queue()
        for topic in topics:
            self._watchers.setdefault(topic, set()).add(watcher)
        if self.closed:  # whoever comes late would wait for ever
            watcher.put_nowait(Notice(topics[0], "closing"))
        try:
            yield watcher
        finally:
            for topic in topics:
                self._watchers[topic].discard(watcher)
                if not self._watchers[topic]:
                    del self._watchers[topic]

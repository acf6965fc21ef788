"""SQLite's log of what was written, taken over into the database's file beside the writer.

SQLite by itself does it within the commit that finds the log long. Whoever waits for that commit
would wait for all that a long reader, such as a backup, has held up until then. So a thread of its
own takes the log over while the writer goes on, and the writer only does the short rest, between
two transactions. Then the log begins anew, if nobody reads from it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from sqlalchemy import Engine

from holdfast import log
from holdfast.platform.store.work import Work

#: Between two looks, seconds.
_SECONDS = 0.2
#: Pages from which a log should begin anew, and that the writer may take over at once.
_LONG, _SHORT = 1000, 250
#: The writer waits for readers a millisecond for so many pages, and so many milliseconds at most.
#: If they stay, it is left alone for so many times as long.
_PAGES, _MOST, _REST = 400, 20, 20
#: The writer's turn comes within this time, seconds; else it is tried again later.
_PATIENCE = 30


class SideLog:
    """Of one database; `put` gives the writer something to do between two transactions.

    It tells whether the writer goes on.
    """

    def __init__(self, engine: Engine, put: Callable[[Work], bool]) -> None:
        self._engine, self._put = engine, put
        self._changed, self._closed = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._loop, name="holdfast-log", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """To be called while the writer goes on still."""
        self._closed.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join()

    def changed(self) -> None:
        """Something was written."""
        self._changed.set()

    def empty(self) -> bool:
        """Have nothing left in the log; False: somebody reads from it, try again later."""
        copy(self._engine)
        return self._between(emptied)

    def _between(self, work: Callable[[Engine], bool]) -> bool:
        future: Future[bool] = Future()
        piece = Work(lambda engine, _: [work(engine)], future, bare=True)
        if not self._put(piece):
            return False
        try:
            return future.result(_PATIENCE)
        except TimeoutError:
            future.cancel()
            return False

    def _loop(self) -> None:
        rest = _SECONDS
        while not self._closed.is_set():
            self._changed.wait()
            self._changed.clear()
            if self._closed.wait(rest):
                return
            try:
                rest = self._take_over()
            except Exception as error:  # a disk that is full, for instance
                log.failure("database.log", error)

    def _take_over(self) -> float:
        """How long to wait until the next time, seconds."""
        pages, left = copy(self._engine)
        if pages < _LONG or left > _SHORT:
            return _SECONDS
        moment = min(_MOST, pages // _PAGES)
        anew = self._between(lambda engine: begun_anew(engine, moment))
        return _SECONDS if anew else max(_SECONDS, _REST * moment / 1000)


def copy(engine: Engine) -> tuple[int, int]:
    """Take over what nobody reads any more, beside all who write and read.

    How many pages the log has, and of them how many are left.
    """
    _, pages, done = _checkpoint(engine, "PASSIVE")
    return pages, pages - done


def begun_anew(engine: Engine, moment: int) -> bool:
    """Take all of the log over, and have the next write begin it anew.

    Those who read from it are waited for: without that some would always be there.
    """
    busy, _, _ = _checkpoint(engine, "RESTART", moment)
    return not busy


def emptied(engine: Engine) -> bool:
    """Take all of the log over and cut it off, unless somebody reads from it."""
    busy, _, _ = _checkpoint(engine, "TRUNCATE")
    return not busy


def _checkpoint(engine: Engine, how: str, moment: int = 0) -> tuple[int, int, int]:
    """It waits for others no longer than this, milliseconds."""
    with engine.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        (patience,) = driver.execute("PRAGMA busy_timeout").fetchone()
        driver.execute(f"PRAGMA busy_timeout={moment}")
        try:
            busy, pages, done = driver.execute(f"PRAGMA wal_checkpoint({how})").fetchone()
        finally:
            driver.execute(f"PRAGMA busy_timeout={patience}")
    return busy, pages, done

"""Notices between platforms on one PostgreSQL: sent with the commit they tell of, heard by all.

`NOTIFY` is part of the transaction, so nobody hears of what was not committed. While a platform
does not hear, notices are lost: when it hears again, its watchers are told to look again.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from holdfast import log
from holdfast.platform.store.notice import Notice

#: PostgreSQL takes 8,000 bytes in one notification.
_LONGEST = 7000
_LOOK_SECONDS, _AGAIN_SECONDS = 0.5, 1.0
_SEND = text("SELECT pg_notify('holdfast', :said)")


def announce(connection: Connection, origin: str, notices: list[Notice]) -> None:
    """Have the commit of this transaction tell all platforms. `origin` is who tells."""
    # what is said twice in one commit is said once
    told = dict.fromkeys(json.dumps([n.topic, n.what, n.data]) for n in notices)
    for piece in _pieces(list(told)):
        said = f"[{json.dumps(origin)},{','.join(piece)}]"
        connection.execute(_SEND, {"said": said})


def _pieces(told: list[str]) -> Iterator[list[str]]:
    piece: list[str] = []
    room = _LONGEST
    for item in told:
        if piece and len(item) > room:
            yield piece
            piece, room = [], _LONGEST
        piece.append(item)
        room -= len(item) + 1
    yield piece


def heard(said: str, origin: str) -> list[Notice]:
    """The notices of a notification; none of one's own, which one has had at once."""
    sender, *told = json.loads(said)
    return [] if sender == origin else [Notice(*item) for item in told]


class Listener:
    """A thread with a connection of its own that hears what other platforms tell."""

    def __init__(
        self, engine: Engine, origin: str, publish: Callable[[list[Notice]], None],
        missed: Callable[[], None],
    ) -> None:  # fmt: skip
        self._engine, self._origin = engine, origin
        self._publish, self._missed = publish, missed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="holdfast-hear", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._hear()
            except (SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error) as error:
                log.warn("notices.interrupted", why=type(error).__name__)
                self._stop.wait(_AGAIN_SECONDS)

    def _hear(self) -> None:
        pooled = self._engine.raw_connection()
        driver: Any = pooled.driver_connection
        pooled.detach()
        try:
            driver.rollback()
            driver.autocommit = True
            driver.execute("LISTEN holdfast")
            self._missed()  # whatever happened before we listened
            while not self._stop.is_set():
                for notification in driver.notifies(timeout=_LOOK_SECONDS):
                    self._publish(heard(notification.payload, self._origin))
        finally:
            driver.close()

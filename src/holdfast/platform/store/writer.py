"""The writing thread: what waits together is committed together; long work has turns of its own.

Steps of long work are committed alone. SQLite has one writer, so they take turns with everything
else. On PostgreSQL another thread does them on a connection of its own, and what they wait for
keeps nobody else waiting. How often their turn comes, `store/pace.py` says.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from sqlalchemy import Engine

from holdfast import log
from holdfast.platform.clock import now
from holdfast.platform.store.notice import Notice
from holdfast.platform.store.notices import announce
from holdfast.platform.store.pace import Pace
from holdfast.platform.store.transaction import (
    Connection,
    Transaction,
    crossed,
    savepoint,
    still_open,
)
from holdfast.platform.store.work import Outcome, Work, batches, settle

GROUP = 256  # pieces of work in one commit at most
#: So often is a piece done that waits for another transaction while that one waits for it.
_TRIES = 3


class _ApartError(Exception):
    """What was done together has failed: each piece gets a commit of its own."""


class Writer:
    """Does pieces of work in transactions, in the order in which they came.

    `publish` gets the notices of each commit, `wrote` its seconds and how many pieces of work in
    it succeeded and failed. `origin` is this process, among those that serve the database.
    A piece may be done again after its transaction was undone, so it must change nothing else.
    """

    def __init__(
        self,
        engine: Engine,
        origin: str,
        publish: Callable[[list[Notice]], None],
        wrote: Callable[[float, int, int], None],
    ) -> None:
        self._engine, self._origin = engine, origin
        self._publish, self._wrote = publish, wrote
        self._sqlite = engine.dialect.name == "sqlite"
        self._light, self._heavy = deque[Work](), deque[Work]()
        self._news, self._closed, self._pace = threading.Condition(), False, Pace()
        turns = [self._turn] if self._sqlite else [self._light_turn, self._heavy_turn]
        self._threads = [
            threading.Thread(target=self._loop, args=(turn,), name="holdfast-write", daemon=True)
            for turn in turns
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Finish what waits, then end."""
        with self._news:
            self._closed = True
            self._news.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def put(self, work: Work) -> bool:
        """Let a piece wait for its turn; False: closed."""
        work.since = time.monotonic()
        with self._news:
            if self._closed:
                return False
            (self._heavy if work.heavy else self._light).append(work)
            self._news.notify_all()
        return True

    @property
    def waiting(self) -> int:
        """Pieces of work that wait."""
        return len(self._light) + len(self._heavy)

    def step(self, most: int) -> int:
        """How much of `most` one step of long work may take on now."""
        return self._pace.step(most, time.monotonic())

    def _loop(self, turn: Callable[[], list[Work] | float | None]) -> None:
        kept: dict[Any, Any] = {}
        while True:
            with self._news:
                while not isinstance(found := turn(), list):
                    if self._closed:
                        return
                    self._news.wait(found)
            if group := [work for work in found if work.begin()]:
                if group[0].bare:
                    self._do_bare(group[0])
                else:
                    self._commit(group, kept)

    def _turn(self) -> list[Work] | float | None:
        """What is next; else how long to wait for it, None: until something comes."""
        heavy = self._heavy_turn()
        if isinstance(heavy, list):
            return heavy
        light = self._light_turn()
        return heavy if light is None else light

    def _light_turn(self) -> list[Work] | None:
        """All that waits, up to what is to be done between two transactions."""
        light, group = self._light, list[Work]()
        while light and len(group) < GROUP and not (group and light[0].bare):
            group.append(light.popleft())
            if group[0].bare:
                break
        return group or None

    def _heavy_turn(self) -> list[Work] | float | None:
        """One step, if it may begin."""
        if not self._heavy:
            return None
        others_wait = self._sqlite and bool(self._light)
        since = self._heavy[0].since
        rest = self._pace.rest(time.monotonic(), since, others_wait=others_wait)
        if rest > 0 and not self._closed:
            return rest
        return [self._heavy.popleft()]

    def _do_bare(self, work: Work) -> None:
        """It is no commit, and is told as none: nothing may follow from it but its result."""
        try:
            outcome = Outcome(work, work.run(self._engine, [])[0])
        except Exception as problem:
            outcome = Outcome(work, error=problem)
        settle([outcome])

    def _commit(self, group: list[Work], kept: dict[Any, Any], tries: int = _TRIES) -> None:
        outcomes: list[Outcome] = []
        notices: list[Notice] = []
        began = time.monotonic()
        try:
            with self._engine.begin() as connection:
                outcomes = self._do_all(connection, group, notices, kept)
                if notices and not self._sqlite:
                    announce(connection, self._origin, notices)
        except _ApartError:
            for work in group:
                self._commit([work], kept)
            return
        except Exception as problem:
            if crossed(problem) and tries > 1:
                self._commit(group, kept, tries - 1)
                return
            outcomes, notices = [Outcome(work, error=problem) for work in group], []
        self._note(group, began)
        self._tell(time.monotonic() - began, outcomes, notices)
        settle(outcomes)

    def _tell(self, seconds: float, outcomes: list[Outcome], notices: list[Notice]) -> None:
        """A fault of those who are told, such as an event loop that ends, must not end us."""
        failed = sum(outcome.error is not None for outcome in outcomes)
        try:
            self._wrote(seconds, len(outcomes) - failed, failed)
            if notices:
                self._publish(notices)
        except Exception as error:
            log.failure("database.untold", error)

    def _note(self, group: list[Work], began: float) -> None:
        ended = time.monotonic()
        with self._news:
            if group[0].heavy:
                self._pace.stepped(ended, ended - began)
            else:
                self._pace.served(ended, began - group[0].since, ended - began)

    def _do_all(
        self,
        connection: Connection,
        group: list[Work],
        notices: list[Notice],
        kept: dict[Any, Any],
    ) -> list[Outcome]:
        """Do the pieces of one commit, each batch under a savepoint of its own.

        One batch alone needs none, which saves two ways to a server. Raises _ApartError for it,
        and where another transaction waits for what the whole group has locked.
        """
        outcomes: list[Outcome] = []
        read: dict[Any, Any] = {}
        waiting = deque(batches(group))
        alone = len(waiting) == 1
        while waiting:
            batch = waiting.popleft()
            transaction = Transaction(connection, now(), _read=read, _kept=kept)
            try:
                with nullcontext() if alone else savepoint(connection, "work"):
                    found = batch[0].run(transaction, [work.item for work in batch])
            except Exception as problem:
                if len(group) == 1:  # its transaction has no other's work to keep
                    raise
                still_open(connection, problem)
                if alone or crossed(problem):
                    raise _ApartError from problem
                if len(batch) > 1:
                    waiting.extendleft([work] for work in reversed(batch))
                else:
                    outcomes.append(Outcome(batch[0], error=problem))
            else:
                notices += transaction.notices
                outcomes += [Outcome(*pair) for pair in zip(batch, found, strict=True)]
        return outcomes

"""Transactions: one writing thread that commits in groups, readers beside it.

SQLite has one writer at a time. Instead of letting requests fight for it, all writes go through
one thread, in order; whatever waits when it is free is committed together, each piece of work
under a savepoint of its own (`store/writer.py`). A write is answered after its commit is on disk
(`synchronous=FULL`), so that what was acknowledged survives a power cut.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Engine, Insert, Table, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as SQLAlchemyTimeout

from holdfast.model.errors import HoldfastError
from holdfast.platform.store.notice import Notice
from holdfast.platform.store.notices import Listener
from holdfast.platform.store.schema import UnknownRevisionError, migrate
from holdfast.platform.store.sidelog import SideLog
from holdfast.platform.store.transaction import Connection, Row, Transaction, savepoint
from holdfast.platform.store.work import Work
from holdfast.platform.store.writer import Writer

__all__ = ["Connection", "Row", "Transaction", "savepoint"]  # and all that stands here

T = TypeVar("T")
Item = TypeVar("Item")
#: What is raised for a value that a column cannot hold.
BAD_VALUES = (UnicodeEncodeError, OverflowError, DataError)

READERS = 4
#: Pieces of work that may wait before new ones are held back.
MOST_WAITING = 1024
#: Between two looks whether there is room again, seconds.
_LOOK_SECONDS = 0.005
#: A connection that was used within this time is taken to be good, seconds.
_IDLE_SECONDS = 0.1
#: PostgreSQL's advisory locks: of claims, and of chores that one platform does.
CLAIMS_LOCK, CHORES_LOCK = 7421001, 7421002
#: What retention removes from.
_VACUUM = (
    "VACUUM blob_bodies, blobs, dataclip_bodies, dataclips, log_lines, runs, search_parts,"
    " search_words, steps, work_orders"
)


#: PostgreSQL's classes of faults that pass: no connection, rolled back, no room, stopped.
_PASSING = ("08", "40", "53", "57P")


class DatabaseError(HoldfastError):
    """The database cannot be opened or migrated."""


Write = Callable[[Transaction], T]
Read = Callable[[Connection], T]
#: Does the same for several items; the results in their order.
WriteMany = Callable[[Transaction, list[Item]], Sequence[T]]


class Database:
    """The engine, its writer and its readers.

    `publish` gets the notices of each commit, `wrote` its seconds and how many pieces of work in
    it succeeded and failed.
    """

    def __init__(
        self,
        url: str,
        publish: Callable[[list[Notice]], None],
        wrote: Callable[[float, int, int], None] = lambda _seconds, _good, _failed: None,
    ) -> None:
        self._wrote = wrote
        #: Of this process, among those that serve the database.
        self.id = str(uuid.uuid4())
        try:
            self.engine = _engine(url, writing=True)
            self.reading = _engine(url, writing=False)
        except (SQLAlchemyError, ImportError) as error:
            message = f"cannot use the database address: {_cause(error)}"
            raise DatabaseError(
                message, fix="Write it like postgresql+psycopg://user@host/database."
            ) from error
        self._readers = ThreadPoolExecutor(READERS, "holdfast-read")
        self._writer = Writer(self.engine, self.id, publish, self._committed)
        self._log = SideLog(self.engine, self._writer.put) if self.is_sqlite else None
        self._closed = False

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    def open(self) -> None:
        """Update the schema, start the writer. Raises DatabaseError; then it is closed."""
        try:
            self._migrate()
        except BaseException:
            self.close()
            raise
        self._writer.start()
        if self._log is not None:
            self._log.start()

    def listener(
        self, heard: Callable[[list[Notice]], None], missed: Callable[[], None]
    ) -> Listener | None:
        """What hears of commits of other platforms. `missed`: some may have been told before."""
        if self.is_sqlite:
            return None
        return Listener(self.engine, self.id, heard, missed)

    def _migrate(self) -> None:
        try:
            self._make_private_file()
            migrate(self.engine)
        except UnknownRevisionError as error:
            message = f"the database was written by another version of Holdfast: {error}"
            raise DatabaseError(
                message, fix="Use that version, or one that is newer; or restore your backup."
            ) from error
        except (SQLAlchemyError, OSError) as error:
            message = f"cannot open the database: {_cause(error)}"
            raise DatabaseError(
                message,
                fix="Check that the data folder is writable and the database address is right.",
            ) from error

    def _make_private_file(self) -> None:
        """People's data is in it: only the owner may read. SQLite's side files follow."""
        if self.is_sqlite and (path := self.engine.url.database):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))

    def close(self) -> None:
        """Finish what is queued, then close."""
        if self._closed:
            return
        self._closed = True
        if self._log is not None:
            self._log.close()
        self._writer.close()
        self._readers.shutdown(wait=True)
        self.reading.dispose()
        self.engine.dispose()

    def submit(self, work: Write[T]) -> Future[T]:
        """Queue a write; writes are done in the order of these calls.

        It never refuses: what calls it has limits of its own, as a worker's socket has, which is
        read no further while so many of its events wait.
        """
        future: Future[T] = Future()
        self._put(Work(lambda tx, _: [work(tx)], future))
        return future

    def ask(self, work: Write[T]) -> asyncio.Future[T]:
        """The same for the running event loop. To cancel what it returns does not undo it."""
        return self._ask(Work(lambda tx, _: [work(tx)], _future()))

    def _ask(self, work: Work) -> asyncio.Future[Any]:
        assert isinstance(work.future, asyncio.Future)
        work.future.add_done_callback(_heard)
        self._put(work)
        return asyncio.shield(work.future)

    def _put(self, work: Work) -> None:
        if not self._writer.put(work):
            work.future.set_exception(DatabaseError("the database is closed"))

    @property
    def is_full(self) -> bool:
        """As much waits to be written as may: accept no new work (`access/pressure.py`)."""
        return self.waiting >= MOST_WAITING

    @property
    def waiting(self) -> int:
        """Pieces of work that wait for the writer."""
        return self._writer.waiting

    def step(self, most: int) -> int:
        """How much of `most` one step of long work may take on: less, while others wait."""
        return self._writer.step(most)

    async def write(self, work: Write[T], *, heavy: bool = False, locks: bool = False) -> T:
        """Do `work` in a transaction, once there is room for it in the writer's queue.

        A caller that is cancelled does not undo it. `heavy`: a step of something long, such as a
        bulk load; others go before it, and it is a commit of its own. It starts no runs. `locks`:
        other processes wait for what it locks, so it is done after all else of its commit.
        """
        await self._room()
        piece = Work(lambda tx, _: [work(tx)], _future(), heavy=heavy, locks=locks)
        result: T = await self._ask(piece)
        return result

    async def write_together(self, work: WriteMany[Item, T], item: Item) -> T:
        """The same with work that is done in one call for all items that wait for it.

        When such a call fails, each item gets one of its own, so that it fails for its own faults.
        """
        await self._room()
        result: T = await self._ask(Work(work, _future(), item, shared=True))
        return result

    async def _room(self) -> None:
        while self.is_full and not self._closed:  # noqa: ASYNC110 - no event crosses threads
            await asyncio.sleep(_LOOK_SECONDS)  # the writer is another thread

    async def read(self, work: Read[T]) -> T:
        """Do `work` on a connection that sees one consistent state."""
        here = contextvars.copy_context()  # what is read may be put into the reader's language
        return await asyncio.wrap_future(self._readers.submit(here.run, self._read, work))

    async def check(self) -> None:
        """Ask reader and writer for a sign of life. Raises what keeps them from answering."""
        await self.read(lambda connection: connection.execute(text("SELECT 1")))
        await self.write(lambda tx: tx.connection.execute(text("SELECT 1")))

    def forget_freed(self) -> bool:
        """Have the database let go of what was deleted: from SQLite's log, from dead rows.

        False: somebody reads from SQLite's log, such as a backup. Try again later.
        """
        if self._log is not None:
            return self._log.empty()
        with self.engine.connect() as connection:
            free = connection.execution_options(isolation_level="AUTOCOMMIT")
            free.exec_driver_sql("SET vacuum_cost_delay = '2ms'")  # as the server's own has it
            free.exec_driver_sql(_VACUUM)
            free.exec_driver_sql("RESET vacuum_cost_delay")
        return True

    def _committed(self, seconds: float, good: int, failed: int) -> None:
        if self._log is not None:
            self._log.changed()
        self._wrote(seconds, good, failed)

    def _read(self, work: Read[T]) -> T:
        with self.reading.begin() as connection:
            try:
                return work(connection)
            except BaseException:
                if self.is_sqlite:
                    # a result that is open keeps its view of the data, for whoever reads next
                    connection.invalidate()
                raise


def _future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


def _heard(written: asyncio.Future[Any]) -> None:
    """Whoever asked may be gone: asyncio need not complain that nobody has seen the error."""
    if not written.cancelled():
        written.exception()


def lock_claims(connection: Connection) -> None:
    """Let one claim at a time pass, so that concurrency limits hold; SQLite has one writer."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({CLAIMS_LOCK})"))


def insert_new(dialect: str, table: Table) -> Insert:
    """An insert that leaves out rows whose unique key is there already."""
    if dialect == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def upsert(
    connection: Connection,
    table: Table,
    key: tuple[str, ...],
    changed: tuple[str, ...],
    **computed: ColumnElement[Any],
) -> Insert:
    """An insert that changes these columns of the row that has the unique key already.

    `computed`: columns that do not take the new value but this.
    """
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    query = insert(table)
    values = {name: query.excluded[name] for name in changed} | computed
    return query.on_conflict_do_update(index_elements=list(key), set_=values)


def _engine(url: str, *, writing: bool) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,  # errors reach the log, where people's data must not stand
    )
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, writing=writing)
        return engine
    _ask_for_life(engine)
    if not writing:
        _only_read(engine)
    return engine


def _ask_for_life(engine: Engine) -> None:
    """Have a connection that was not used for a moment asked whether its server is there.

    SQLAlchemy would ask each time, which is one of a dozen ways to the server for a commit.
    """

    @event.listens_for(engine, "checkin")
    def on_checkin(_connection: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def on_checkout(connection: Any, record: Any, _proxy: Any) -> None:
        used = record.info.get("used")  # None: it is new
        if used is not None and time.monotonic() - used > _IDLE_SECONDS:
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error as error:
                raise DisconnectionError from error  # another one is made


def _only_read(engine: Engine) -> None:
    """Have PostgreSQL refuse what a reader would write, and show each reader one state.

    It must not take each row that an index has in order for a turn of a disk: then it would read
    and sort all rows instead of the first ones.
    """
    from psycopg import IsolationLevel  # noqa: PLC0415 - SQLite needs no driver of another

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.autocommit = True
        connection.execute("SET random_page_cost = 1.1")
        connection.autocommit = False
        connection.read_only = True
        connection.isolation_level = IsolationLevel.REPEATABLE_READ


def _prepare_sqlite(engine: Engine, *, writing: bool) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we begin ourselves, see below
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "busy_timeout=10000",
            "temp_store=MEMORY",
            "cache_size=-16000",
            "secure_delete=ON",  # what is erased is overwritten
            "case_sensitive_like=ON",  # as PostgreSQL's LIKE is
        ):
            connection.execute(f"PRAGMA {pragma}")
        # the log is taken over by `store/sidelog.py`, and cut off when it begins anew
        others = (
            ("wal_autocheckpoint=0", "journal_size_limit=67108864")
            if writing
            else ("query_only=ON",)
        )
        for pragma in others:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


#: SQLite's codes for busy, locked, no memory, read-only, disk, full, cannot open. Its class
#: OperationalError has faults of one statement, too.
_PASSING_SQLITE = frozenset({5, 6, 7, 8, 10, 13, 14})


def is_passing(error: Exception) -> bool:
    """Whether the database as a whole has a fault now: what failed can be tried later."""
    if isinstance(error, DatabaseError | SQLAlchemyTimeout):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    original = error.orig if isinstance(error, DBAPIError) else error
    if (state := getattr(original, "sqlstate", None)) is not None:
        return str(state).startswith(_PASSING)
    if (code := getattr(original, "sqlite_errorcode", None)) is not None:
        return code & 0xFF in _PASSING_SQLITE
    # Python's interface of databases (PEP 249) has this name for it; SQLAlchemy keeps it.
    return "OperationalError" in {kind.__name__ for kind in type(error).__mro__}


#: SQLite's codes for a row that is there already: of a primary key, of a unique index.
_DOUBLE_SQLITE = frozenset({1555, 2067})


def is_double(error: Exception) -> bool:
    """Whether a new row has a key that must be unique, and that another row has."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return (
        getattr(original, "sqlstate", None) == "23505"
        or getattr(original, "sqlite_errorcode", None) in _DOUBLE_SQLITE
    )


def _cause(error: BaseException) -> str:
    original = getattr(error, "orig", None)
    return str(original or error)

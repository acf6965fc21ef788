"""Transactions: one writing thread that commits in groups, readers beside it.

SQLite has one writer at a time. Instead of letting requests fight for it, all writes go through
one thread, in order; whatever waits when it is free is committed together, each piece of work
under a savepoint of its own. A write is answered after its commit is on disk
(`synchronous=FULL`), so that what was acknowledged survives a power cut.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import queue
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import sqlalchemy
from sqlalchemy import ColumnElement, Engine, Insert, Table, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as SQLAlchemyTimeout

from holdfast.model.errors import HoldfastError
from holdfast.platform.clock import now
from holdfast.platform.store.notice import Notice
from holdfast.platform.store.notices import Listener, announce
from holdfast.platform.store.schema import UnknownRevisionError, migrate
from holdfast.platform.store.work import Outcome, Work, batches, settle

T = TypeVar("T")
Item = TypeVar("Item")
#: What other rooms name, so that only this one imports the library: what reads, and what it finds.
Connection: TypeAlias = sqlalchemy.Connection
Row: TypeAlias = sqlalchemy.Row[*tuple[Any, ...]]

#: What is raised for a value that a column cannot hold.
BAD_VALUES = (UnicodeEncodeError, OverflowError, DataError)

GROUP = 256  # pieces of work in one commit at most
READERS = 4
#: Pieces of work that may wait before new ones are held back.
MOST_WAITING = 1024
#: Between two looks whether there is room again, seconds.
_LOOK_SECONDS = 0.005
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


@dataclass(slots=True)
class Transaction:
    """What a write works with. `now` is one time for all it does, in microseconds."""

    connection: Connection
    now: int
    notices: list[Notice] = field(default_factory=list)
    #: What pieces of work of the same commit have read, by how it was read.
    _read: dict[Any, Any] = field(default_factory=dict)

    #: What is kept from one commit to the next, by its kind.
    _kept: dict[Any, Any] = field(default_factory=dict)

    def kept(self, make: Callable[[], T]) -> T:
        """What `make` has made for the writer's thread, made once. A rollback does not undo it."""
        if make not in self._kept:
            self._kept[make] = make()
        found: T = self._kept[make]
        return found

    def once(self, read: Callable[[Connection], T]) -> T:
        """What `read` finds, read once for all pieces of work of a commit."""
        if read not in self._read:
            self._read[read] = read(self.connection)
        found: T = self._read[read]
        return found

    def notify(self, topic: str, what: str, **data: Any) -> None:
        self.notices.append(Notice(topic, what, data))


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
        self._publish, self._wrote = publish, wrote
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
        self._queue: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        #: What the writer has taken from its queue and not begun.
        self._light, self._heavy = deque[Work](), deque[Work]()
        self._thread = threading.Thread(
            target=self._write_loop, name="holdfast-write", daemon=True
        )
        self._closed = False
        self._kept: dict[Any, Any] = {}

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
        self._thread.start()

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
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join()
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
        if self._closed:
            work.future.set_exception(DatabaseError("the database is closed"))
        else:
            self._queue.put(work)

    @property
    def is_full(self) -> bool:
        """As much waits to be written as may: accept no new work (`access/pressure.py`)."""
        return self.waiting >= MOST_WAITING

    @property
    def waiting(self) -> int:
        """Pieces of work that wait for the writer."""
        return self._queue.qsize() + len(self._light) + len(self._heavy)

    async def write(self, work: Write[T], *, heavy: bool = False, locks: bool = False) -> T:
        """Do `work` in a transaction, once there is room for it in the writer's queue.

        A caller that is cancelled does not undo it. `heavy`: a step of something long, such as a
        bulk load; others go before it, and a commit has one of them at most. `locks`: other
        processes wait for what it locks, so it is done after all else of its commit.
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

    def forget_freed(self) -> None:
        """Have the database let go of what was deleted: from SQLite's log, from dead rows."""
        with self.engine.connect() as connection:
            if self.is_sqlite:
                driver = connection.connection.dbapi_connection
                assert driver is not None
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            else:
                free = connection.execution_options(isolation_level="AUTOCOMMIT")
                free.exec_driver_sql(_VACUUM)

    def _read(self, work: Read[T]) -> T:
        with self.reading.begin() as connection:
            return work(connection)

    def _write_loop(self) -> None:
        """Commit what waits, and one heavy piece at a time: nobody waits behind several."""
        light, heavy = self._light, self._heavy
        open_ = True
        while open_ or light or heavy:
            while open_ and len(light) < GROUP and not ((light or heavy) and self._queue.empty()):
                if (work := self._queue.get()) is None:
                    open_ = False
                else:
                    (heavy if work.heavy else light).append(work)
            group = [light.popleft() for _ in range(min(GROUP, len(light)))]
            group += [heavy.popleft()] if heavy else []
            if group := [work for work in group if work.begin()]:
                self._commit(group)

    def _commit(self, group: list[Work]) -> None:
        outcomes: list[Outcome] = []
        notices: list[Notice] = []
        began = time.perf_counter()
        try:
            with self.engine.begin() as connection:
                outcomes = self._do_all(connection, group, notices)
                if notices and not self.is_sqlite:
                    announce(connection, self.id, notices)
        except Exception as problem:
            outcomes, notices = [Outcome(work, error=problem) for work in group], []
        failed = sum(outcome.error is not None for outcome in outcomes)
        self._wrote(time.perf_counter() - began, len(group) - failed, failed)
        if notices:
            self._publish(notices)
        settle(outcomes)

    def _do_all(
        self, connection: Connection, group: list[Work], notices: list[Notice]
    ) -> list[Outcome]:
        """Do the pieces of one commit, each batch under a savepoint of its own."""
        outcomes: list[Outcome] = []
        read: dict[Any, Any] = {}
        waiting = deque(batches(group))
        while waiting:
            batch = waiting.popleft()
            transaction = Transaction(connection, now(), _read=read, _kept=self._kept)
            try:
                with savepoint(connection, "work") if len(group) > 1 else nullcontext():
                    found = batch[0].run(transaction, [work.item for work in batch])
            except Exception as problem:
                if len(group) == 1:  # its transaction has no other's work to keep
                    raise
                _still_open(connection, problem)
                if len(batch) > 1:
                    waiting.extendleft([work] for work in reversed(batch))
                else:
                    outcomes.append(Outcome(batch[0], error=problem))
            else:
                notices += transaction.notices
                outcomes += [Outcome(*pair) for pair in zip(batch, found, strict=True)]
        return outcomes


def _future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


def _heard(written: asyncio.Future[Any]) -> None:
    """Whoever asked may be gone: asyncio need not complain that nobody has seen the error."""
    if not written.cancelled():
        written.exception()


@contextmanager
def savepoint(connection: Connection, name: str) -> Iterator[None]:
    """Undo what fails in the block. SQLAlchemy's own takes as long as three statements."""
    raw = connection.connection.cursor()
    raw.execute(f"SAVEPOINT {name}")
    try:
        yield
    except BaseException:
        raw.execute(f"ROLLBACK TO SAVEPOINT {name}")
        raise
    finally:
        raw.execute(f"RELEASE SAVEPOINT {name}")
        raw.close()


def _still_open(connection: Connection, cause: BaseException) -> None:
    """Raise the cause where the whole group has failed: there is no transaction any more.

    A full disk makes SQLite roll back everything by itself; a server may have ended.
    """
    raw = None if connection.invalidated else connection.connection.dbapi_connection
    sqlite_ = connection.dialect.name == "sqlite"
    if raw is None or (not raw.in_transaction if sqlite_ else raw.closed):
        while cause.__context__ is not None:  # not the savepoint's complaint that came of it
            cause = cause.__context__
        raise cause


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
        pool_pre_ping=not url.startswith("sqlite"),
        hide_parameters=True,  # errors reach the log, where people's data must not stand
    )
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, writing=writing)
    elif not writing:
        _only_read(engine)
    return engine


def _only_read(engine: Engine) -> None:
    """Have PostgreSQL refuse what a reader would write, and show each reader one state."""
    from psycopg import IsolationLevel  # noqa: PLC0415 - SQLite needs no driver of another

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
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
        if not writing:
            connection.execute("PRAGMA query_only=ON")

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

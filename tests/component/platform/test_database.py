"""The writer: order, groups, failures; and the migrations."""

from __future__ import annotations

import asyncio
import threading
import traceback
from pathlib import Path
from unittest.mock import Mock

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import IntegrityError, OperationalError

from holdfast.platform.serve import serve
from holdfast.platform.settings import Settings
from holdfast.platform.store import database, liveness, process_tables
from holdfast.platform.store.database import (
    BAD_VALUES,
    Database,
    DatabaseError,
    Transaction,
    is_double,
    is_passing,
)
from holdfast.platform.store.rows import add_rows
from holdfast.platform.store.tables import metadata
from support.platform import Store
from support.postgres import database_of, postgres_only, sqlite_only


def test_the_migrations_make_the_tables_that_the_queries_expect(data: Path) -> None:
    with Store(data) as store:
        address = store.settings.database
    engine = create_engine(address)
    with engine.connect() as connection:
        # each database has the words of the search in a form of its own
        opts = {"include_name": lambda name, *_: not str(name).startswith("search_words")}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, metadata) == []
    engine.dispose()


@pytest.mark.parametrize("number", [2, 6])  # by a statement, and by COPY
def test_fault_of_many_rows_has_its_class_and_none_of_their_values(
    store: Store, number: int
) -> None:
    rows = [{"name": "hidden", "changed_at": 1, "changed_by": "x"}] * number
    with pytest.raises(IntegrityError) as told:
        store.write(lambda tx: add_rows(tx.connection, process_tables.controls, rows))
    assert is_double(told.value)
    assert "table=controls" in str(told.value)
    assert "hidden" not in "".join(traceback.format_exception(told.value))


@postgres_only
@pytest.mark.parametrize("number", [1, 6])
@pytest.mark.parametrize("name", ["hidden" * 9, "hidden\0"])
def test_value_that_no_column_can_hold_is_a_bad_value(
    store: Store, number: int, name: str
) -> None:
    rows = [{"name": name, "changed_at": 1, "changed_by": "x"}] * number
    with pytest.raises(BAD_VALUES) as told:
        store.write(lambda tx: add_rows(tx.connection, process_tables.controls, rows))
    assert not is_passing(told.value)
    assert "hidden" not in "".join(traceback.format_exception(told.value))


def test_writes_are_done_in_order_and_a_failure_harms_only_itself(store: Store) -> None:
    gate, order = threading.Event(), list[int]()

    def wait(_tx: Transaction) -> None:
        gate.wait(10)

    def step(number: int) -> int:
        def work(tx: Transaction) -> int:
            order.append(number)
            tx.connection.execute(text(f"UPDATE projects SET concurrency = {number}"))
            if number == 3:
                message = "number three"
                raise RuntimeError(message)
            return number

        return store.database.submit(work)  # type: ignore[return-value] # awaited below

    store.database.submit(wait)
    futures = [step(number) for number in range(1, 7)]
    gate.set()
    results = []
    for future in futures:
        try:
            results.append(future.result(10))  # type: ignore[attr-defined] # a Future
        except RuntimeError as error:
            results.append(str(error))
    assert order == [1, 2, 3, 4, 5, 6]
    assert results == [1, 2, "number three", 4, 5, 6]
    value = store.read(lambda c: c.execute(text("SELECT concurrency FROM projects")).scalar())
    assert value == 6


def test_what_failed_alone_leaves_nothing(store: Store) -> None:
    def work(tx: Transaction) -> None:
        tx.notify("runs", "state")
        tx.connection.execute(text("UPDATE projects SET concurrency = 9"))
        message = "no"
        raise RuntimeError(message)

    store.notices.clear()
    with pytest.raises(RuntimeError):
        store.write(work)
    value = store.read(lambda c: c.execute(text("SELECT concurrency FROM projects")).scalar())
    assert value is None
    assert store.notices == []


@sqlite_only
def test_a_rollback_by_the_database_fails_the_whole_group(store: Store) -> None:
    """SQLite rolls back by itself on a full disk: then nobody may be told of success."""
    gate = threading.Event()

    def wait(_tx: Transaction) -> None:
        gate.wait(10)

    def good(tx: Transaction) -> str:
        tx.connection.execute(text("UPDATE projects SET concurrency = 5"))
        return "done"

    def disaster(tx: Transaction) -> None:
        raw = tx.connection.connection.dbapi_connection
        assert raw is not None
        raw.rollback()
        message = "disk full"
        raise OSError(message)

    store.database.submit(wait)
    first, second = store.database.submit(good), store.database.submit(disaster)
    gate.set()
    with pytest.raises(OSError, match="disk full"):
        first.result(10)
    with pytest.raises(OSError, match="disk full"):
        second.result(10)
    value = store.read(lambda c: c.execute(text("SELECT concurrency FROM projects")).scalar())
    assert value is None


@postgres_only
def test_a_server_that_ends_a_connection_fails_the_whole_group(store: Store) -> None:
    """Also those whose work had been done, and those behind; all with a fault that passes."""
    gate = threading.Event()

    def wait(_tx: Transaction) -> None:
        gate.wait(10)

    def good(tx: Transaction) -> None:
        tx.connection.execute(text("UPDATE projects SET concurrency = 5"))

    def ended(tx: Transaction) -> None:
        tx.connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    store.database.submit(wait)
    futures = [store.database.submit(work) for work in (good, ended, good)]
    gate.set()
    faults = [future.exception(10) for future in futures]
    assert [is_passing(fault) for fault in faults if isinstance(fault, Exception)] == [True] * 3
    value = store.read(lambda c: c.execute(text("SELECT concurrency FROM projects")).scalar())
    assert value is None


def test_notices_follow_the_commit(store: Store) -> None:
    store.notices.clear()
    run_id = store.enqueue()
    assert ("queue", "available") in {(n.topic, n.what) for n in store.notices}
    assert any(n.data.get("run_id") == run_id for n in store.notices)


async def test_readers_cannot_write(store: Store) -> None:
    async def go() -> None:
        await store.database.read(lambda c: c.execute(text("DELETE FROM projects")))

    with pytest.raises(Exception, match=r"readonly|read-only transaction"):
        await go()


async def test_read_that_fails_amid_its_rows_leaves_no_old_view_to_later_reads(
    store: Store,
) -> None:
    """Its result is still open: whoever has the error has the frame that has it."""

    def fail(connection: Connection) -> None:
        rows = connection.execute(text("SELECT id FROM projects"))
        message = f"before {rows}"
        raise RuntimeError(message)

    with pytest.raises(RuntimeError) as kept:
        await store.database.read(fail)
    store.write(lambda tx: tx.connection.execute(text("UPDATE projects SET concurrency = 7")))
    query = text("SELECT concurrency FROM projects")
    assert await store.database.read(lambda c: c.scalar(query)) == 7, kept.value


async def test_a_cancelled_caller_does_not_undo_its_write(store: Store) -> None:
    gate = threading.Event()

    def slow(tx: Transaction) -> None:
        gate.wait(10)
        tx.connection.execute(text("UPDATE projects SET concurrency = 8"))

    async def go() -> None:
        task = asyncio.create_task(store.database.write(slow))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.set()

    await go()
    value = store.read(lambda c: c.execute(text("SELECT concurrency FROM projects")).scalar())
    assert value == 8


def test_closing_finishes_what_is_queued_and_refuses_more(data: Path) -> None:
    with Store(data) as store:
        store.deploy()
        futures = [
            store.database.submit(lambda tx: tx.connection.execute(text("SELECT 1")).scalar())
            for _ in range(50)
        ]
        store.database.close()
        assert [future.result(1) for future in futures] == [1] * 50
        with pytest.raises(DatabaseError):
            store.write(lambda _: None)


def test_a_database_that_cannot_be_opened_is_explained(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/no/such/folder/x.db", lambda _: None)
    with pytest.raises(DatabaseError, match="cannot open the database"):
        database.open()
    (tmp_path / "x.db").write_bytes(b"this is not a database, not at all" * 100)
    database = Database(f"sqlite:///{tmp_path}/x.db", lambda _: None)
    with pytest.raises(DatabaseError, match="not a database"):
        database.open()


_OF_TOMORROW = "UPDATE alembic_version SET version_num = 'of-tomorrow'"


async def test_a_database_that_goes_away_at_the_start_is_explained(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = OperationalError("INSERT", {}, Exception("closed"))
    monkeypatch.setattr(liveness, "begin", Mock(side_effect=away))
    settings = Settings(data=data, port=0, **database_of(data))
    with pytest.raises(DatabaseError, match="went away while the platform started"):
        await serve(settings)


def test_a_database_of_a_newer_version_is_refused_with_words(data: Path) -> None:
    with Store(data) as newer:
        newer.write(lambda tx: tx.connection.execute(text(_OF_TOMORROW)))
    database = Store(data).database
    with pytest.raises(DatabaseError, match=r"another version of Holdfast: .*of-tomorrow"):
        database.open()
    with pytest.raises(DatabaseError, match="closed"):  # no connection is left open
        database.submit(lambda _: None).result(30)


@postgres_only
async def test_a_reader_takes_rows_in_the_order_of_an_index_for_cheap(store: Store) -> None:
    cost = await store.database.read(lambda c: c.scalar(text("SHOW random_page_cost")))
    assert cost == "1.1"


@postgres_only
async def test_a_connection_that_was_ended_while_idle_is_replaced(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_IDLE_SECONDS", 0.0)
    ask = text("SELECT pg_backend_pid()")
    first = await store.database.read(lambda c: c.scalar(ask))
    store.write(lambda tx: tx.connection.scalar(text(f"SELECT pg_terminate_backend({first})")))
    assert await store.database.read(lambda c: c.scalar(ask)) != first

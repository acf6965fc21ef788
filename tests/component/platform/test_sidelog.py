"""SQLite's log is taken over beside the writer, and no long reader keeps the writer waiting."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from holdfast.platform.store import sidelog
from holdfast.platform.store.sidelog import SideLog, begun_anew, copy
from holdfast.platform.store.transaction import Transaction
from holdfast.platform.store.work import Work
from support.platform import Store
from support.postgres import sqlite_only
from support.waiting import eventually

pytestmark = sqlite_only


def write_pages(store: Store, number: int = 1500) -> None:
    def work(tx: Transaction) -> None:
        tx.connection.execute(text("CREATE TABLE IF NOT EXISTS filler (body BLOB)"))
        tx.connection.execute(text(f"INSERT INTO filler VALUES (zeroblob({number * 4096}))"))

    store.write(work)


def log_of(store: Store) -> Path:
    return Path(f"{store.database.engine.url.database}-wal")


def reader(store: Store) -> sqlite3.Connection:
    """Somebody who reads one state for long, as a backup does."""
    assert store.database.engine.url.database is not None
    other = sqlite3.connect(store.database.engine.url.database, isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM projects").fetchone()
    return other


def test_a_long_log_is_taken_over_and_begins_anew(store: Store) -> None:
    write_pages(store)
    eventually(lambda: copy(store.database.engine)[1] == 0, "it is taken over")
    before = log_of(store).stat().st_size
    for _ in range(3):
        write_pages(store)
        eventually(lambda: copy(store.database.engine)[1] == 0, "it is taken over")
    assert log_of(store).stat().st_size < 2 * before


def test_removed_rows_leave_the_log_once_nobody_reads_it_and_writes_go_on(store: Store) -> None:
    write_pages(store)
    other = reader(store)
    write_pages(store)
    began = time.monotonic()
    assert not store.database.forget_freed()
    assert store.write(lambda _tx: "done") == "done"
    assert time.monotonic() - began < 5, "SQLite would wait ten seconds, and the writer with it"
    assert log_of(store).stat().st_size > 0
    other.close()
    assert store.database.forget_freed()
    assert log_of(store).stat().st_size == 0


def test_a_log_that_somebody_reads_is_no_work_for_the_writer(store: Store) -> None:
    with_reader = reader(store)
    for _ in range(3):
        write_pages(store)
    pages, left = copy(store.database.engine)
    assert left > 1000
    assert store.write(lambda _tx: "done") == "done"
    with_reader.close()
    eventually(lambda: copy(store.database.engine)[1] == 0, "it is taken over in the end")
    assert pages > left - 1


def test_what_is_done_to_the_log_is_no_commit_and_makes_no_more_work(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits, begun = list[object](), list[int]()

    def counted(engine: Engine, moment: int) -> bool:
        begun.append(moment)
        return begun_anew(engine, moment)

    monkeypatch.setattr(sidelog, "begun_anew", counted)
    monkeypatch.setattr(store.database, "_wrote", lambda *told: commits.append(told))
    write_pages(store)
    eventually(lambda: begun, "the log begins anew")
    assert store.database.forget_freed(), "the writer has done what came before"
    assert len(commits) == 1
    assert store.database._log is not None
    assert not store.database._log._changed.is_set()


def test_a_writer_that_does_nothing_is_not_waited_for_without_end(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sidelog, "_PATIENCE", 0.01)
    given = list[Work]()

    def take(work: Work) -> bool:
        given.append(work)
        return True

    log = SideLog(store.database.engine, take)
    assert not log.empty()
    assert not given[0].begin(), "nobody waits for it any more"

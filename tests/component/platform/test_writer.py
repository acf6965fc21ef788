"""Steps of long work are commits of their own, and never in the way for long."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

import pytest
from sqlalchemy import text

from holdfast.platform.store.notice import Notice
from holdfast.platform.store.work import Work
from support.platform import Store
from support.postgres import postgres_only, sqlite_only


def put(store: Store, work: Any, *, heavy: bool = False) -> Future[Any]:
    piece = Work(lambda tx, _items: [work(tx)], Future(), heavy=heavy)
    store.database._put(piece)
    assert isinstance(piece.future, Future)
    return piece.future


def test_a_step_is_a_commit_of_its_own(store: Store) -> None:
    commits = list[object]()
    gate = threading.Event()
    store.database.submit(lambda _tx: gate.wait(10))
    pieces = [
        put(store, lambda tx: commits.append(tx._read), heavy=heavy)
        for heavy in (True, False, False)
    ]
    gate.set()
    for piece in pieces:
        piece.result(10)
    assert len({id(read) for read in commits}) == 2


@sqlite_only
def test_a_step_comes_to_its_turn_though_others_never_end(store: Store) -> None:
    done, count = threading.Event(), 0

    def again(_tx: Any) -> None:
        nonlocal count
        count += 1
        if not done.is_set() and count < 100_000:
            store.database.submit(again)

    for _ in range(8):
        store.database.submit(again)
    put(store, lambda _tx: done.set(), heavy=True).result(20)
    assert 0 < count < 100_000


@postgres_only
def test_on_postgresql_nobody_waits_for_a_step(store: Store) -> None:
    gate = threading.Event()
    step = put(store, lambda _tx: gate.wait(30), heavy=True)
    assert store.write(lambda _tx: "done") == "done"
    assert not step.done()
    gate.set()
    step.result(10)


class Crossed(Exception):  # noqa: N818 - what a driver says when the server has undone one of two
    sqlstate = "40P01"


@pytest.mark.parametrize("heavy", [False, True])
@pytest.mark.parametrize("together", [1, 2])
def test_what_another_transaction_has_crossed_is_done_again(
    store: Store, heavy: bool, together: int
) -> None:
    tries = list[int]()

    def crossed_at_first(tx: Any) -> str:
        tx.notify("once", "told")
        tries.append(tx.connection.scalar(text("SELECT count(*) FROM fillers")))
        tx.connection.execute(text("INSERT INTO fillers VALUES (1)"))
        if len(tries) < 3:
            raise Crossed
        return "done"

    store.write(lambda tx: tx.connection.execute(text("CREATE TABLE fillers (number INT)")))
    gate = threading.Event()
    store.database.submit(lambda _tx: gate.wait(10))
    pieces = [put(store, crossed_at_first, heavy=heavy)]
    pieces += [put(store, lambda _tx: "other") for _ in range(together - 1)]
    gate.set()
    assert [piece.result(10) for piece in pieces] == ["done", "other"][:together]
    assert tries == [0, 0, 0]
    assert store.read(lambda c: c.scalar(text("SELECT count(*) FROM fillers"))) == 1
    assert store.notices.count(Notice("once", "told", {})) == 1


def test_what_is_always_crossed_fails_in_the_end(store: Store) -> None:
    def crossed(_tx: Any) -> None:
        raise Crossed

    with pytest.raises(Crossed):
        put(store, crossed).result(10)


@postgres_only
def test_a_step_and_others_that_lock_the_same_rows_are_both_done(store: Store) -> None:
    store.write(lambda tx: tx.connection.execute(text("CREATE TABLE fillers (number INT)")))
    store.write(lambda tx: tx.connection.execute(text("INSERT INTO fillers VALUES (1), (2)")))
    have = {1: threading.Event(), 2: threading.Event()}

    def lock(tx: Any, mine: int, theirs: int) -> None:
        tx.connection.execute(text("SET LOCAL deadlock_timeout = '10ms'"))
        query = text("SELECT number FROM fillers WHERE number = :one FOR UPDATE")
        tx.connection.execute(query, {"one": mine})
        have[mine].set()
        assert have[theirs].wait(10)
        tx.connection.execute(query, {"one": theirs})

    step = put(store, lambda tx: lock(tx, 1, 2), heavy=True)
    put(store, lambda tx: lock(tx, 2, 1)).result(20)
    step.result(20)


def test_those_who_cannot_be_told_of_a_commit_do_not_end_the_writer(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_notices: list[Notice]) -> None:
        message = "Event loop is closed"
        raise RuntimeError(message)

    monkeypatch.setattr(store.database._writer, "_publish", refuse)
    assert put(store, lambda tx: tx.notify("run:1", "changed") or "done").result(5) == "done"
    assert put(store, lambda _tx: "done").result(5) == "done"
    assert "database.untold" in capsys.readouterr().err

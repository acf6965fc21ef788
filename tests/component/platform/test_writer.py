"""Steps of long work are commits of their own, and never in the way for long."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

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

"""Webhooks that come together (`start/intake.py`), and work that is done in one call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from holdfast.platform.start.intake import Hooks, Intake, take_in
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Transaction
from holdfast.platform.store.runs import Created
from holdfast.platform.store.triggers import find_webhook
from holdfast.platform.store.work import Work, batches
from support.platform import TRIGGER, Served, Store
from support.postgres import sqlite_only

PATH = (TRIGGER,)


@pytest.fixture
def come(store: Store) -> Callable[..., Intake]:
    """A request that was admitted."""
    trigger = store.read(lambda c: find_webhook(c, PATH))
    assert trigger is not None

    def make(number: int, key: str | None = None, **changed: Any) -> Intake:
        row = {"path": PATH, "trigger": trigger, "body": f'{{"n":{number}}}', **changed}
        return Intake(record="{}", key=key, settings=store.settings, **row)

    return make


def clips(store: Store) -> int:
    found: int | None = store.read(lambda c: c.scalar(select(func.count(t.dataclips.c.id))))
    return found or 0


def test_each_request_has_its_run_with_its_own_document(
    store: Store, come: Callable[..., Intake]
) -> None:
    made = store.write(lambda tx: take_in(tx, [come(n) for n in range(7)]))
    c, body = t.runs.c, t.dataclip_bodies.c
    query = select(c.id, body.body).join(t.dataclip_bodies, body.dataclip_id == c.dataclip_id)
    stored = {row.id: row.body for row in store.read(lambda found: found.execute(query).all())}
    assert [stored[one.run_id] for one in made if one] == [f'{{"n":{n}}}' for n in range(7)]
    assert len(store.claim(50)) == 7


def test_the_same_key_is_the_same_work_order_also_among_those_that_come_together(
    store: Store, come: Callable[..., Intake]
) -> None:
    (first,) = store.write(lambda tx: take_in(tx, [come(0, "a")]))
    items = [come(1, "a"), come(2, "b"), come(3), come(4, "b")]
    again, one, other, same = store.write(lambda tx: take_in(tx, items))
    assert again == first
    assert one == same
    assert len({first, one, other}) == 3
    assert clips(store) == 3


def test_nothing_is_accepted_by_a_trigger_that_has_changed_since(
    store: Store, come: Callable[..., Intake]
) -> None:
    before, named = come(1), come(2, "a")
    store.write(lambda tx: tx.connection.execute(update(t.triggers).values(enabled=False)))
    now = store.read(lambda c: find_webhook(c, PATH))
    items = [before, named, come(3, trigger=now)]
    old, keyed, new = store.write(lambda tx: take_in(tx, items))
    assert (old, keyed) == (None, None)
    assert isinstance(new, Created)
    assert clips(store) == 1


def test_a_webhook_is_closed_at_once_though_it_was_just_used(served: Served) -> None:
    served.post()
    off = update(t.triggers).values(enabled=False)
    served.write(lambda tx: tx.connection.execute(off))
    answer = served.client.post(f"/i/{TRIGGER}", json={})
    assert answer.status_code == 403
    assert answer.json()["error"] == "trigger_disabled"


def test_only_webhooks_that_are_open_to_all_are_remembered(come: Callable[..., Intake]) -> None:
    hooks, trigger = Hooks(), come(1).trigger
    hooks.keep(PATH, trigger)
    assert hooks.fresh(PATH) == trigger
    hooks.forget(PATH)
    assert hooks.fresh(PATH) is None


def together(store: Store, work: Callable[..., Any], items: list[Any]) -> list[Future[Any]]:
    """Queue the items while the writer is busy, so that one commit has them."""
    gate, futures = threading.Event(), [Future[Any]() for _ in items]
    store.database.submit(lambda _: gate.wait(10))
    for item, future in zip(items, futures, strict=True):
        store.database._put(Work(work, future, item, shared=True))
    gate.set()
    return futures


def test_one_that_fails_costs_the_others_nothing(store: Store) -> None:
    calls = list[list[int]]()

    def rename(tx: Transaction, items: list[int]) -> list[int]:
        calls.append(items)
        for item in items:
            values = {"name": f"named {item}"}
            tx.connection.execute(text("UPDATE workflows SET name = :name"), values)
            if item == 2:
                message = "number two"
                raise RuntimeError(message)
        return [item * 10 for item in items]

    found = together(store, rename, [1, 2, 3])
    assert [one.result(10) for one in (found[0], found[2])] == [10, 30]
    with pytest.raises(RuntimeError, match="number two"):
        found[1].result(10)
    assert calls == [[1, 2, 3], [1], [2], [3]]
    assert store.read(lambda c: c.scalar(text("SELECT name FROM workflows"))) == "named 3"


def test_shared_work_is_done_where_its_first_piece_stands_and_all_else_in_order() -> None:
    def many(_tx: Any, items: list[Any]) -> list[Any]:
        return items

    def alone(number: int) -> Work:
        return Work(lambda _tx, _items: [number], Future())

    claim = alone(0)
    claim.locks = True
    pieces = [claim, Work(many, Future(), 2, shared=True), alone(3),
              Work(many, Future(), 4, shared=True), alone(5)]  # fmt: skip
    order = [[pieces.index(work) for work in batch] for batch in batches(pieces)]
    assert order == [[1, 3], [2], [4], [0]], "what locks is the last"


@sqlite_only  # elsewhere a thread of its own does them
def test_steps_of_something_long_wait_and_no_commit_has_two_of_them(store: Store) -> None:
    done = list[tuple[str, object]]()

    def step(name: str, *, heavy: bool = False) -> Future[Any]:
        def work(tx: Transaction, _items: list[Any]) -> list[None]:
            done.append((name, tx._read))
            return [None]

        piece = Work(work, Future(), heavy=heavy)
        store.database._put(piece)
        assert isinstance(piece.future, Future)
        return piece.future

    gate = threading.Event()
    store.database.submit(lambda _: gate.wait(10))
    futures = [step("load", heavy=True), step("delete", heavy=True), step("a"), step("b")]
    gate.set()
    for future in futures:
        future.result(10)
    names, commits = zip(*done, strict=True)
    assert names == ("a", "b", "load", "delete")
    assert commits[2] is not commits[3]

"""The writer's queue is bounded: who asks for more is told to come again, and nothing is lost."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from holdfast.platform.store import database
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Transaction
from support.platform import TRIGGER, Served, Store
from support.waiting import eventually

MOST = 8


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue that is full soon."""
    monkeypatch.setattr(database, "MOST_WAITING", MOST)


def hold(target: Any) -> threading.Event:
    """Keep the writer busy until the event is set, and its queue full."""
    gate, begun = threading.Event(), threading.Event()

    def wait(_tx: Transaction) -> None:
        begun.set()
        gate.wait(30)

    target.submit(wait)
    assert begun.wait(10)
    for _ in range(MOST):
        target.submit(lambda _tx: None)
    return gate


def test_a_webhook_is_refused_with_a_time_while_the_queue_is_full(served: Served) -> None:
    gate = hold(served.platform.database)
    try:
        for method, path in (("POST", f"/i/{TRIGGER}"), ("PATCH", "/api/workflows/x")):
            answer = served.client.request(method, path, json={})
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "2"), path
            assert answer.json()["error"] == "busy"
        assert served.client.get("/api/runs").status_code == 200, "reading goes on"
    finally:
        gate.set()
    served.platform.database.submit(lambda _tx: None).result(10)
    assert served.client.post(f"/i/{TRIGGER}", json={}).status_code == 200


async def test_heavy_work_that_waits_counts_like_any_other(store: Store) -> None:
    db, gate, begun = store.database, threading.Semaphore(0), threading.Semaphore(0)

    def wait(_tx: Transaction) -> None:
        begun.release()
        gate.acquire(timeout=30)

    async def start(number: int) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(db.write(wait, heavy=True)) for _ in range(number)]
        await asyncio.sleep(0)  # each has put its work
        return tasks

    steps = await start(1)
    assert await asyncio.to_thread(begun.acquire, timeout=10)
    steps += await start(MOST)
    gate.release()
    assert await asyncio.to_thread(begun.acquire, timeout=10)
    waited = [(db.waiting, db.is_full)]
    steps += await start(1)
    waited.append((db.waiting, db.is_full))
    gate.release(len(steps))
    await asyncio.gather(*steps)
    assert waited == [(MOST - 1, False), (MOST, True)]
    assert (db.waiting, db.is_full) == (0, False)


def test_every_answered_webhook_of_a_flood_is_stored_and_no_other(served: Served) -> None:
    gate = hold(served.platform.database)
    with ThreadPoolExecutor(8) as pool:
        early = list(pool.map(lambda _n: post(served), range(16)))
        gate.set()
        late = list(pool.map(lambda _n: post(served), range(40)))
    assert set(early) == {503}
    assert set(late) <= {200, 503}
    runs = served.write(lambda tx: tx.connection.scalar(select(func.count()).select_from(t.runs)))
    assert runs == late.count(200) > 0


def post(served: Served) -> int:
    return served.client.post(f"/i/{TRIGGER}", json={"n": 1}).status_code


async def test_a_write_of_our_own_waits_for_room_and_is_done(store: Store) -> None:
    gate = hold(store.database)
    writing = asyncio.create_task(store.database.write(lambda _tx: "done"))
    await asyncio.sleep(0)
    assert store.database.waiting == MOST, "it is not queued yet"
    gate.set()
    assert await writing == "done"


def test_what_a_worker_tells_is_never_refused(served: Served) -> None:
    served.post()
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        gate = hold(served.platform.database)
        told = threading.Thread(target=talk.complete)
        told.start()
        eventually(lambda: served.platform.database.waiting > MOST, "the event is queued")
        gate.set()
        told.join(20)
    assert served.run(talk.id)["state"] == "success"

"""Why a run waits: each reason, in the order in which they are told; and pages that tell it."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import update

from holdfast.platform.clock import now
from holdfast.platform.store import liveness, pauses, workers
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection
from holdfast.platform.store.waits import Wait, Why, waits
from support.plans import statements
from support.platform import TRIGGER, Served, Store


def connect(store: Store, capacity: int = 2, queues: dict[str, int] | None = None) -> None:
    at = now()
    values: dict[str, Any] = {
        "name": "w", "version": "1", "capacity": capacity, "platform_id": "here",
        "queues": json.dumps(queues or {}), "connected_at": at, "disconnected_at": None,
        "last_heartbeat_at": at,
    }  # fmt: skip
    store.write(lambda tx: workers.put_worker(tx, "one", **values))


def change(store: Store, table: Any, **values: Any) -> None:
    store.write(lambda tx: tx.connection.execute(update(table).values(**values)))


def test_each_reason_is_told_once_those_before_it_are_gone(store: Store) -> None:
    store.write(lambda tx: liveness.begin(tx, "here"))
    going, waiting = store.enqueue(), store.enqueue()
    connect(store)
    assert [one.run_id for one in store.claim()] == [going]
    store.write(lambda tx: workers.change_worker(tx, "one", "here", disconnected_at=now()))
    workflow = store.run(waiting).workflow_id
    change(store, t.triggers, cron_overlap="queue")
    change(store, t.projects, concurrency=1)
    change(store, t.workflows, concurrency=1)
    store.write(lambda tx: pauses.pause_workflow(tx, workflow, "Jo"))
    store.write(lambda tx: pauses.pause_queue(tx, "Al"))

    def why() -> Wait:
        rows = [store.run(waiting), store.run(going)]
        found = store.read(lambda c: waits(c, rows, now()))
        assert [*found] == [waiting]
        return found[waiting]

    assert why() == Wait(Why.QUEUE_PAUSED, "Al")
    store.write(pauses.resume_queue)
    assert why() == Wait(Why.WORKFLOW_PAUSED, "Jo")
    store.write(lambda tx: pauses.resume_workflow(tx, workflow))
    assert why() == Wait(Why.NO_WORKER)
    connect(store, capacity=1, queues={"manual>fast_lane": 1})
    assert why() == Wait(Why.NO_WORKER_FOR_QUEUE, "default")
    connect(store, capacity=1, queues={"manual>*": 1})
    assert why() == Wait(Why.WORKFLOW_FULL, limit=1)
    change(store, t.workflows, concurrency=None)
    assert why() == Wait(Why.PROJECT_FULL, limit=1)
    change(store, t.projects, concurrency=2)
    assert why() == Wait(Why.ONE_AT_A_TIME)
    change(store, t.triggers, cron_overlap="all")
    assert why() == Wait(Why.WORKERS_FULL, limit=1)
    connect(store, capacity=2)
    assert why() == Wait(Why.SOON)
    assert [one.run_id for one in store.claim()] == [waiting], "it is what a claim would meet"


def test_the_reasons_of_many_cost_no_more_questions_than_those_of_one(store: Store) -> None:
    rows = [store.run(store.enqueue()) for _ in range(5)]

    def asked(some: list[Any]) -> int:
        def count(connection: Connection) -> int:
            with statements(connection) as found:
                waits(connection, some, now())
            return len(found)

        return store.read(count)

    assert asked(rows) == asked(rows[:1]) > 0
    assert asked([]) == 0


def test_lists_and_the_page_of_a_run_say_why_it_waits(served: Served) -> None:
    run = served.post(trigger=TRIGGER)
    said = "No worker is connected: nothing can run."
    for path in ("/", "/runs", "/work_orders", f"/runs/{run}"):
        assert said in served.client.get(path).text, path
    assert served.client.post("/queue/pause").is_redirect
    for path in ("/runs?state=available", f"/runs/{run}"):
        assert "All runs are paused by admin token." in served.client.get(path).text, path

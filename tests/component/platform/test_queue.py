"""Who gets which run (`docs/spec/platform.md` 2.3, 2.4)."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest
from sqlalchemy import select

from holdfast.platform.start.intake import Intake, take_in
from holdfast.platform.store import logs, queue, triggers, workers
from holdfast.platform.store import process_tables as pt
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Transaction
from holdfast.platform.store.queue import claim
from holdfast.platform.store.triggers import find_webhook
from holdfast.protocol.messages import Claim, LogLine
from support.plans import scans, statements
from support.platform import TRIGGER, Store
from support.postgres import sqlite_only


def project(
    number: int, concurrency: int | None = None, workflows: int = 1, limit: int | None = None
) -> dict[str, Any]:
    """Project `number` with one webhook for each workflow, see `trigger`."""

    def workflow(w: int) -> dict[str, Any]:
        base = number * 1000 + w * 10
        return {
            "name": f"W{w}",
            "concurrency": limit,
            "jobs": [{"id": str(uuid.UUID(int=base + 1)), "name": "J", "body": "fn(s => s)"}],
            "triggers": [{"id": trigger(number, w), "type": "webhook", "enabled": True}],
            "edges": [
                {
                    "source_trigger_id": trigger(number, w),
                    "target_job_id": str(uuid.UUID(int=base + 1)),
                }
            ],
        }

    return {
        "name": f"p{number}",
        "concurrency": concurrency,
        "workflows": [workflow(w) for w in range(workflows)],
    }


def trigger(number: int, workflow: int = 0) -> str:
    return str(uuid.UUID(int=number * 1000 + workflow * 10))


def ids(store: Store, demand: int = 1, queues: tuple[str, ...] = ("*",)) -> list[str]:
    return [one.run_id for one in store.claim(demand, queues)]


def test_an_empty_queue_gives_nothing(store: Store) -> None:
    assert store.claim(5) == []


def test_the_oldest_comes_first_and_no_more_than_asked(store: Store) -> None:
    runs = [store.enqueue() for _ in range(3)]
    assert ids(store, 2) == runs[:2]
    assert ids(store, 5) == runs[2:]
    assert ids(store) == []


def test_a_claim_is_written_down(store: Store) -> None:
    run_id = store.enqueue()
    (claimed,) = store.claim()
    row = store.run(run_id)
    assert (row.state, row.worker_id, row.worker_name) == ("claimed", "worker-1", "tester")
    assert row.claim_id == claimed.claim_id
    assert row.claim_expires_at > row.claimed_at
    assert claimed.expires_at - claimed.not_before >= 300 + 10
    order = store.read(
        lambda c: c.scalar(
            select(t.work_orders.c.state).where(t.work_orders.c.id == row.work_order_id)
        )
    )
    assert order == "running"


def test_priority_goes_before_age(store: Store) -> None:
    normal, urgent = store.enqueue(), store.enqueue(queue="manual", priority=0)
    assert ids(store, 2) == [urgent, normal]


def test_named_queues_are_preferred_in_their_order(store: Store) -> None:
    default = store.enqueue()
    manual = store.enqueue(queue="manual", priority=0)
    fast = store.enqueue(queue="fast_lane")
    assert ids(store, 3, ("fast_lane", "manual", "*")) == [fast, manual, default]


def test_the_star_holds_the_place_of_all_others(store: Store) -> None:
    fast, default = store.enqueue(queue="fast_lane"), store.enqueue()
    assert ids(store, 2, ("*", "fast_lane")) == [default, fast]


def test_without_a_star_only_named_queues_count(store: Store) -> None:
    store.enqueue()
    fast = store.enqueue(queue="fast_lane")
    assert ids(store, 5, ("fast_lane",)) == [fast]
    assert ids(store, 5, ("nothing-like-this",)) == []


def test_projects_take_turns(store: Store) -> None:
    """A project that floods the queue does not starve the others."""
    for number in (1, 2):
        store.deploy(project(number))
    flood = [store.enqueue(trigger(1)) for _ in range(4)]
    late = [store.enqueue(trigger(2)) for _ in range(2)]
    assert ids(store, 6) == [flood[0], late[0], flood[1], late[1], flood[2], flood[3]]


def test_a_workflow_keeps_to_its_concurrency(store: Store) -> None:
    store.deploy(project(1, limit=2))
    runs = [store.enqueue(trigger(1)) for _ in range(4)]
    assert ids(store, 10) == runs[:2]
    store.change(runs[0], state="success")
    assert ids(store, 10) == [runs[2]]


@sqlite_only
def test_what_is_under_way_is_counted_without_a_look_at_history(store: Store) -> None:
    store.deploy(project(1, concurrency=3, limit=2))
    store.enqueue(trigger(1))
    store.claim()
    store.enqueue(trigger(1))

    def look(tx: Transaction) -> list[str]:
        row = tx.connection.execute(
            select(*t.triggers.c, t.workflows.c.project_id)
            .join(t.workflows)
            .where(t.triggers.c.id == trigger(1))
        ).one()
        visible = frozenset([row.project_id])
        workers.put_worker(
            tx, "worker-1", name="w", version="1", capacity=1, queues="[]", connected_at=tx.now,
            last_heartbeat_at=tx.now,
        )  # fmt: skip
        worker = tx.connection.execute(select(pt.workers)).one()
        with statements(tx.connection) as done:
            asked = Claim(1, "tester", ("*",))
            assert queue.claim(tx, asked, "worker-1", store.settings)
            assert triggers.has_unfinished_run(tx.connection, row)
            assert queue.summary(tx.connection, visible)["claimed"] == 2
            workers._shown(tx.connection, worker, visible, connected=True)
        return [
            str(line[-1])
            for said, values in done
            if said.startswith("SELECT") and "state IN ('claimed', 'started')" in said
            for line in tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {said}", values)
        ]

    read = [line for line in store.write(look) if " runs " in line]
    assert len(read) >= 4
    assert {line for line in read if "ix_runs_under_way" not in line} == set()


def test_an_urgent_run_is_eligible_behind_many_old_ones(store: Store) -> None:
    """Lightning numbers by age alone, so this one would wait behind all others (2.3)."""
    store.deploy(project(1, limit=1))
    for _ in range(5):
        store.enqueue(trigger(1))
    urgent = store.enqueue(trigger(1), queue="manual", priority=0)
    assert ids(store, 3) == [urgent]


def test_a_project_keeps_to_its_concurrency_across_workflows(store: Store) -> None:
    """Also where its workflows have limits of their own (2.3, second quirk)."""
    store.deploy(project(1, concurrency=3, workflows=2, limit=2))
    for workflow in (0, 1):
        for _ in range(4):
            store.enqueue(trigger(1, workflow))
    other = store.enqueue(TRIGGER)
    taken = store.claim(20)
    assert len(taken) == 4
    assert other in [one.run_id for one in taken]


@pytest.mark.parametrize("workers", [8])
def test_no_run_is_given_twice(store: Store, workers: int) -> None:
    runs = {store.enqueue() for _ in range(40)}
    taken: list[str] = []

    def work() -> None:
        while found := ids(store, 2):
            taken.extend(found)

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(taken) == len(runs)
    assert set(taken) == runs


def test_limits_hold_in_a_queue_of_many_workflows_most_of_which_are_full(store: Store) -> None:
    """First limits are read one by one, then all of them."""
    store.deploy(project(1, workflows=30, limit=1))
    store.deploy(project(2, concurrency=2, workflows=3))
    runs = [store.enqueue(trigger(1, w)) for w in range(30) for _ in range(2)]
    others = [store.enqueue(trigger(2, w)) for w in range(3)]
    taken = [one for _ in range(4) for one in ids(store, 10)]
    assert sorted(taken) == sorted([*runs[::2], *others[:2]])
    store.change(runs[40], state="success")
    assert ids(store, 10) == [runs[41]]


def test_neither_a_webhook_nor_a_claim_reads_history_from_end_to_end(store: Store) -> None:
    store.deploy(project(1, workflows=20, limit=1))
    store.deploy(project(2, concurrency=1))
    for w in range(20):
        store.enqueue(trigger(1, w))
        store.enqueue(trigger(1, w))
    store.enqueue(trigger(2))
    ids(store, 50)  # what is left is read one by one, then all of it
    path = (trigger(2),)
    found = store.read(lambda c: find_webhook(c, path))
    assert found is not None
    come = Intake(path, found, "{}", "{}", "key", store.settings)
    assert scans(store, lambda tx: take_in(tx, [come])) == set()
    asked = Claim(5, "tester", ("*",))
    read = scans(store, lambda tx: claim(tx, asked, "worker-1", store.settings))
    assert read <= {"workflows", "projects", "triggers", "first", "head"}  # and heads of lanes


def test_lines_that_are_sent_again_among_new_ones_are_stored_once(store: Store) -> None:
    run = store.enqueue()

    def add(*keys: str | None) -> int:
        lines = [(LogLine("1", [key], id=key), f"line {key}") for key in keys]
        return store.write(lambda tx: logs.add(tx, run, lines))

    assert add("a", "b", None) == 3
    assert add("b", "c", "c", None, "a") == 5
    wanted = logs.Wanted(100, 100, 10_000)
    rows = store.read(lambda c: logs.lines(c, run, 0, wanted))
    told = [(row.number, row.message) for row in rows]
    assert told == [
        (1, "line a"),
        (2, "line b"),
        (3, "line None"),
        (4, "line c"),
        (5, "line None"),
    ]

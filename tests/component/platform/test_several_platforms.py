"""Two platforms on one database: each knows what is connected to the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from holdfast.platform.clock import SECOND, now
from holdfast.platform.store import liveness, steps
from holdfast.platform.store import process_tables as pt
from holdfast.platform.store import tables as t
from holdfast.platform.store.notice import Notice
from holdfast.platform.store.notices import announce, heard
from holdfast.platform.workers.janitor import sweep
from support.plans import scans
from support.platform import TRIGGER, RunTalk, Served, Store, beside
from support.postgres import postgres_only
from support.waiting import eventually


@pytest.fixture
def other(served: Served, tmp_path: Path) -> Iterator[Served]:
    with beside(served, tmp_path / "other") as second:
        yield second


def age(served: Served, table: Any, key: str, **seconds: float) -> None:
    """Move times of a row into the past."""
    values = {name: now() - int(value * SECOND) for name, value in seconds.items()}
    served.write(
        lambda tx: tx.connection.execute(table.update().where(table.c.id == key).values(**values))
    )


def test_a_silent_run_of_another_platform_is_not_lost_while_that_one_lives(
    served: Served, other: Served
) -> None:
    served.post()
    served.platform.started_at = 0
    with other.worker() as worker:
        talk = worker.take()
        talk.start()
        age(served, t.runs, talk.id, last_event_at=1000)
        served.call(sweep)
        assert served.run(talk.id)["state"] == "started"


def test_runs_of_a_platform_that_died_get_a_fresh_window_and_are_lost_after_it(
    served: Served, other: Served
) -> None:
    served.post()
    served.platform.started_at = 0
    with other.worker() as worker:
        talk = worker.take()
        talk.start()
        age(served, t.runs, talk.id, last_event_at=1000)
        age(served, pt.platforms, other.platform.id, seen_at=100)
        served.call(sweep)
        assert served.run(talk.id)["state"] == "started", "its worker may still come to us"
        age(served, pt.platforms, other.platform.id, seen_at=130)
        served.call(sweep)
        assert served.run(talk.id)["state"] == "lost"


def test_a_run_whose_socket_to_the_other_platform_closed_is_lost_after_the_silence(
    served: Served, other: Served
) -> None:
    served.post()
    served.platform.started_at = 0
    with other.worker() as worker:
        talk = worker.take()
        talk.start()
    eventually(lambda: not known(served)["connected"], "the worker is gone")
    age(served, t.runs, talk.id, last_event_at=1000)
    served.call(sweep)
    assert served.run(talk.id)["state"] == "lost"


def known(served: Served) -> dict[str, Any]:
    """The worker of these tests, as a platform lists it."""
    (found,) = served.client.get("/api/workers").json()["data"]
    return dict(found)


def test_each_platform_lists_workers_and_runs_of_the_other(served: Served, other: Served) -> None:
    served.post()
    with other.worker() as worker:
        talk = worker.take()
        talk.start()
        found = known(served)
        assert (found["connected"], found["active_runs"]) == (True, [talk.id])
        worker.push("worker:queue", "worker:vitals", {"isolation": "strong"})
        assert known(served)["vitals"]["isolation"] == "strong"
        age(served, pt.platforms, other.platform.id, seen_at=100)
        assert known(served)["connected"] is False


def test_a_worker_that_moved_is_not_called_gone_by_the_platform_it_left(
    served: Served, other: Served
) -> None:
    served.post()
    with served.worker() as first:
        talk = first.take()
        talk.start()
        with other.worker() as second:
            second.join_queue()
            assert second.join_run(talk.run)["status"] == "ok"
            first.socket.close()
            eventually(lambda: not list(served.platform.workers), "the first socket is closed")
            served.call(lambda platform: platform.database.write(lambda _tx: None))
            assert known(served)["connected"] is True
            age(served, t.runs, talk.id, last_event_at=1000)
            served.platform.started_at = 0
            served.call(sweep)
            assert served.run(talk.id)["state"] == "started"
            assert RunTalk(second, talk.run).complete()["status"] == "ok"


LOOKS: list[Callable[[Any], Any]] = [
    lambda tx: liveness.sightings(tx.connection, tx.now),
    lambda tx: steps.left_over(tx.connection, tx.now),
    lambda tx: steps.close_left_over(tx, steps.left_over(tx.connection, tx.now)),
]


@pytest.mark.parametrize("look", LOOKS)
def test_the_janitor_reads_no_history(store: Store, look: Callable[[Any], Any]) -> None:
    store.enqueue()
    store.claim()
    assert scans(store, look) <= {"platforms"}


def test_the_janitor_looks_in_the_writer_at_nothing(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It did, in every look, at all steps there have ever been."""
    served.post()
    written = list[Any]()
    monkeypatch.setattr(served.platform.database, "submit", written.append)
    served.call(sweep)
    monkeypatch.undo()
    assert written == []


def test_notices_travel_whole_in_bounded_pieces_and_not_to_oneself(store: Store) -> None:
    told = [Notice("run:x", "logs", {"last": n, "text": "é" * 500}) for n in range(40)]
    said = list[str]()

    class Recording:
        def execute(self, _statement: Any, values: dict[str, str]) -> None:
            said.append(values["said"])

    announce(Recording(), "me", [*told, *told])  # type: ignore[arg-type] # all that is used of it
    assert max(len(text.encode()) for text in said) < 8000
    assert [notice for text in said for notice in heard(text, "you")] == told
    assert [notice for text in said for notice in heard(text, "me")] == []


@postgres_only
def test_work_and_answers_cross_from_one_platform_to_the_other(
    served: Served, other: Served
) -> None:
    """The caller waits at one platform; the worker of the other one is woken and does the run."""
    set_reply = t.triggers.update().values(webhook_reply="after_completion")
    served.write(lambda tx: tx.connection.execute(set_reply))
    with other.worker() as worker, ThreadPoolExecutor(1) as caller:
        worker.join_queue()
        answer = caller.submit(served.client.post, f"/i/{TRIGGER}", json={"n": 1})
        claimed = list[dict[str, str]]()
        while not claimed:
            worker.wait_for_push("work-available")
            claimed = worker.claim()
        talk = RunTalk(worker, claimed[0])
        assert worker.join_run(claimed[0])["status"] == "ok"
        talk.start()
        talk.complete()
        assert answer.result(30).status_code == 201
        assert answer.result().json()["meta"]["state"] == "success"

"""Automatic retries: when they come, and that none comes twice."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from holdfast.platform.service import Chore
from holdfast.platform.start import retrier
from holdfast.platform.start.actions import retry
from holdfast.platform.start.retrier import start_due
from holdfast.platform.store import retries
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Transaction
from holdfast.platform.workers.claims import give_up
from support.platform import PROJECT, RunTalk, Served, beside
from support.waiting import eventually

ALWAYS = {"times": 2, "backoff_seconds": 0, "on": ["failed", "exception", "lost"]}


@pytest.fixture
def chores() -> Iterable[Chore]:
    return ()


@pytest.fixture
def other(served: Served, tmp_path: Path) -> Iterator[Served]:
    with beside(served, tmp_path / "other") as second:
        yield second


def deploy(served: Served, **rule: Any) -> None:
    served.client.post("/api/queue/pause")  # nothing is made before the test looks
    project = copy.deepcopy(PROJECT)
    known = served.client.get("/api/provision/demo").json()["data"]
    project["id"] = known["id"]
    project["workflows"][0] |= {"id": known["workflows"][0]["id"], "retry": {**ALWAYS, **rule}}
    project["workflows"][0]["edges"] = known["workflows"][0]["edges"]
    answer = served.client.post("/api/provision", json=project)
    assert answer.status_code == 201, answer.text
    served.client.post("/api/queue/resume")


def fail(served: Served, *, step: bool = False, reason: str = "exception") -> RunTalk:
    """A run that ends badly, after a step or before the first."""
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        if step:
            talk.ok("step:complete", talk.step_end(talk.start_step(), reason="fail"))
        talk.complete(reason=reason, error_type="Oops", error_message="it went wrong")
    return talk


def retry_of(served: Served, run_id: str) -> list[str]:
    """Ids of the runs of its work order that came later."""
    served.call(start_due)
    order = served.client.get(f"/api/runs/{run_id}").json()["data"]["relationships"]
    found = served.client.get(
        "/api/runs", params={"work_order_id": order["work_order"]["data"]["id"]}
    ).json()["data"]
    return [item["id"] for item in found if item["id"] != run_id]


def notes(served: Served, run_id: str) -> dict[str, Any]:
    return {note["what"]: note for note in served.run(run_id)["notes"]}


def test_a_run_that_had_begun_no_step_is_retried_and_counted(served: Served) -> None:
    deploy(served)
    served.post()
    first = fail(served)
    assert "It starts again by itself" in served.client.get(f"/runs/{first.id}").text
    (second,) = retry_of(served, first.id)
    assert "It starts again by itself" not in served.client.get(f"/runs/{first.id}").text
    assert served.run(second)["retries"] == 1
    assert served.run(second)["created_by"] == "automatic retry"
    assert notes(served, first.id)["retried"]["retry"] == second
    assert fail(served).id == second
    (third,) = [key for key in retry_of(served, first.id) if key != second]
    assert fail(served).id == third
    assert len(retry_of(served, first.id)) == 2, "two times at most"
    assert "2 times" in notes(served, third)["not retried"]["why"]
    tried = served.try_step()
    assert fail(served).id == tried
    assert retry_of(served, tried) == [], "who tries a step does that by hand"


@pytest.mark.parametrize("idempotent", [False, True])
def test_a_run_that_had_begun_a_step_needs_the_authors_word(
    served: Served, *, idempotent: bool
) -> None:
    deploy(served, idempotent=idempotent)
    served.post()
    talk = fail(served, step=True, reason="fail")
    assert len(retry_of(served, talk.id)) == idempotent
    if not idempotent:
        assert "idempotent" in notes(served, talk.id)["not retried"]["why"]


@pytest.mark.parametrize("idempotent", [False, True])
def test_a_lost_run_may_have_done_anything(served: Served, *, idempotent: bool) -> None:
    deploy(served, idempotent=idempotent)
    served.post()
    with served.worker() as worker:
        talk = worker.take()
        query = t.runs.select().where(t.runs.c.id == talk.id)
        served.write(lambda tx: give_up(tx, tx.connection.execute(query).one(), "no news"))
        assert len(retry_of(served, talk.id)) == idempotent


def test_an_end_that_the_rule_does_not_name_is_not_retried(served: Served) -> None:
    deploy(served)
    served.post()
    talk = fail(served, reason="crash")
    assert retry_of(served, talk.id) == []


def test_a_run_that_somebody_has_retried_is_not_retried_again(served: Served) -> None:
    deploy(served, backoff_seconds=3600)
    served.post()
    talk = fail(served)
    assert "retry planned" in notes(served, talk.id)
    served.write(lambda tx: tx.connection.execute(t.retries.update().values(due_at=1)))
    assert served.client.post(f"/api/runs/{talk.id}/retry").status_code == 201
    assert len(retry_of(served, talk.id)) == 1


def test_two_platforms_make_one_retry_of_each_failure(served: Served, other: Served) -> None:
    deploy(served, backoff_seconds=3600)
    for _ in range(8):
        served.post()
    failed = [fail(served).id for _ in range(8)]
    served.write(lambda tx: tx.connection.execute(t.retries.update().values(due_at=1)))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda one: one.call(start_due), (served, other)))
    assert [len(retry_of(served, key)) for key in failed] == [1] * 8


def test_a_retry_outlives_a_restart(served: Served, tmp_path: Path) -> None:
    deploy(served, backoff_seconds=1)
    served.post()
    talk = fail(served)
    served.stop()
    shutil.copytree(served.settings.data, tmp_path / "again")
    with Served(tmp_path / "again", chores=(), database_url=served.settings.database) as again:
        again.write(lambda tx: tx.connection.execute(t.retries.update().values(due_at=1)))
        assert len(retry_of(again, talk.id)) == 1


def test_a_retry_that_is_due_waits_for_one_by_hand_and_is_not_made(
    served: Served, other: Served
) -> None:
    deploy(served)
    served.post()
    talk = fail(served)

    def by_hand(tx: Transaction) -> Future[Any]:
        retry(tx, served.settings, talk.id, by="somebody")
        going = pool.submit(other.call, start_due)
        if tx.connection.dialect.name == "postgresql":  # SQLite has one writer anyway
            waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            eventually(lambda: tx.connection.scalar(waits), "it waits")
        return going

    with ThreadPoolExecutor(1) as pool:
        assert served.write(by_hand).result(30) == []
    assert len(retry_of(served, talk.id)) == 1
    assert served.write(lambda tx: tx.connection.execute(t.retries.select()).all()) == []


def test_a_retry_that_cannot_be_made_waits_longer_and_is_given_up(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(served, backoff_seconds=3600)
    served.post()
    talk = fail(served)

    def fault(*_: Any, **__: Any) -> None:
        message = "always"
        raise RuntimeError(message)

    monkeypatch.setattr(retrier, "retry", fault)
    due = t.retries.update().values(due_at=1)
    for tries in range(1, retries.TRIES):
        served.write(lambda tx: tx.connection.execute(due))
        served.call(start_due)
        row = served.write(lambda tx: tx.connection.execute(t.retries.select()).one())
        assert row.tries == tries
        assert row.due_at > 1
    served.write(lambda tx: tx.connection.execute(due))
    assert retry_of(served, talk.id) == []
    assert "RuntimeError" in notes(served, talk.id)["not retried"]["why"]

"""What is older than its project keeps it goes, in small steps, and leaves nothing behind."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from holdfast.platform.chores.cleaner import Files, clean_up
from holdfast.platform.clock import SECOND, now
from holdfast.platform.service import Chore
from holdfast.platform.store import logs, retention
from holdfast.platform.store import tables as t
from holdfast.platform.store.retention import Rule, What
from holdfast.protocol.messages import LogLine
from support.plans import scans
from support.platform import Served, Store
from support.postgres import sqlite_only

DAY = 24 * 3600 * SECOND
HISTORY = (
    t.work_orders,
    t.runs,
    t.steps,
    t.run_steps,
    t.log_lines,
    t.dataclips,
    t.dataclip_bodies,
)


@pytest.fixture
def chores() -> Iterable[Chore]:
    return ()


def number(served: Served, *tables: Any) -> list[int]:
    """Rows of tables."""
    return served.write(
        lambda tx: [tx.connection.scalar(select(func.count()).select_from(x)) or 0 for x in tables]
    )


def execute(served: Served, body: Any = None, lines: int = 3) -> str:
    """A run that has succeeded, with a step and a log; its id."""
    served.post(body)
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        step = talk.start_step()
        for n in range(lines):
            talk.log(f"line {n}", step_id=step)
        talk.ok("step:complete", talk.step_end(step))
        talk.complete()
        return talk.id


def grow_old(served: Served, run_id: str, days: int) -> None:
    """As if the run had been made and had ended so many days ago."""
    at = now() - days * DAY

    def work(tx: Any) -> None:
        run = tx.connection.execute(select(t.runs).where(t.runs.c.id == run_id)).one()
        for table, key, values in (
            (t.runs, run_id, {"finished_at": at, "inserted_at": at}),
            (t.work_orders, run.work_order_id, {"last_activity": at, "inserted_at": at}),
            (t.dataclips, run.dataclip_id, {"inserted_at": at}),
        ):
            tx.connection.execute(update(table).where(table.c.id == key).values(**values))
        made = t.dataclips.c.type == "step_result"  # of all runs
        tx.connection.execute(update(t.dataclips).where(made).values(inserted_at=at))

    served.write(work)


def keep(served: Served, **days: int | None) -> dict[str, Any]:
    answer = served.client.put("/api/projects/demo/retention", json=days)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["data"])


def test_nothing_is_removed_where_nothing_was_said(served: Served) -> None:
    run_id = execute(served)
    grow_old(served, run_id, 5000)
    before = number(served, *HISTORY)
    assert not any(served.call(clean_up).values())
    assert number(served, *HISTORY) == before


def test_old_documents_lose_their_content_and_stay_known(served: Served) -> None:
    old, young = execute(served), execute(served)
    grow_old(served, old, 40)
    keep(served, documents=50)
    served.call(clean_up)
    before = number(served, t.dataclips, t.dataclip_bodies)
    assert keep(served, documents=30)["due"] == {"documents": 3}
    served.call(clean_up)
    assert number(served, t.dataclips, t.dataclip_bodies) == [before[0], before[1] - 3]
    assert served.run(old)["state"] == served.run(young)["state"] == "success"
    assert served.logs(old) == ["line 0", "line 1", "line 2"]


def test_the_input_of_a_run_that_waits_is_kept_however_old(served: Served) -> None:
    waiting = served.post()
    grow_old(served, waiting, 400)
    keep(served, documents=1, runs=1, logs=1)
    assert served.call(clean_up)["runs"] == 0
    assert number(served, t.dataclip_bodies) == [1]
    assert served.run(waiting)["state"] == "available"


def test_old_logs_go_in_bounded_steps_and_the_run_stays(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LINES", 2)
    old, young = execute(served, lines=5), execute(served)
    grow_old(served, old, 10)
    keep(served, logs=7)
    assert served.call(clean_up)["logs"] == 1
    assert (served.logs(old), len(served.logs(young))) == ([], 3)
    assert served.steps(old)
    assert served.call(clean_up)["logs"] == 0, "it is found once only"


def test_old_runs_go_with_all_they_have_and_nothing_of_others(served: Served) -> None:
    young = execute(served)
    before = number(served, *HISTORY)
    old = [execute(served) for _ in range(3)]
    for run_id in old:
        grow_old(served, run_id, 100)
    keep(served, runs=90)
    assert served.call(clean_up)["runs"] == 3
    assert number(served, *HISTORY) == before
    assert served.client.get(f"/api/runs/{old[0]}").status_code == 404
    assert len(served.logs(young)) == 3


def test_a_document_that_another_run_began_with_stays(served: Served) -> None:
    old = execute(served, {"first": 1})
    answer = served.client.post(f"/api/runs/{old}/retry", json={})
    again = answer.json()["run_id"]
    row = served.write(
        lambda tx: tx.connection.execute(select(t.runs).where(t.runs.c.id == again)).one()
    )
    other = served.post({"second": 2})
    served.write(
        lambda tx: tx.connection.execute(
            update(t.runs).where(t.runs.c.id == other).values(dataclip_id=row.dataclip_id)
        )
    )
    served.client.post(f"/api/runs/{again}/cancel")
    grow_old(served, old, 100)
    keep(served, runs=90)
    assert served.call(clean_up)["runs"] == 1
    kept = served.write(
        lambda tx: tx.connection.scalar(
            select(t.dataclip_bodies.c.body).where(
                t.dataclip_bodies.c.dataclip_id == row.dataclip_id
            )
        )
    )
    assert json.loads(kept or "null") == {"first": 1}


def test_a_dry_run_counts_and_removes_nothing(served: Served) -> None:
    grow_old(served, execute(served), 100)
    keep(served, documents=30, logs=30, runs=90)
    path = "/api/projects/demo/retention/apply"
    answer = served.client.post(path, json={"dry_run": True}).json()
    assert answer == {"data": {"documents": 2, "logs": 1, "runs": 1}, "dry_run": True}
    assert number(served, t.runs) == [1]
    done = served.client.post(path, json={}).json()
    assert done["data"] == {"documents": 2, "logs": 1, "runs": 1, "erased": 0}
    assert number(served, *HISTORY) == [0] * len(HISTORY)


@pytest.mark.parametrize(
    "body", [{"runs": 0}, {"runs": -1}, {"runs": "7"}, {"runs": True}, {"run": 7}, {"logs": 1.5}]
)
def test_periods_that_are_none_are_refused(served: Served, body: dict[str, Any]) -> None:
    answer = served.client.put("/api/projects/demo/retention", json=body)
    assert answer.status_code == 422
    assert next(iter(body)) in answer.text


SECRET = "p4tient-numb3r-77"


def erase_all(served: Served) -> None:
    served.write(
        lambda tx: tx.connection.execute(update(t.projects).values(retention_policy="erase_all"))
    )


@pytest.mark.parametrize("end", ["success", "cancelled", "lost"])
def test_a_project_that_erases_all_keeps_no_input_however_its_run_ended(
    served: Served, end: str
) -> None:
    erase_all(served)
    run_id = served.post({"id": SECRET})
    if end == "cancelled":
        served.client.post(f"/api/runs/{run_id}/cancel")
    values = {"state": end, "finished_at": now() - 500 * SECOND, "webhook_response": SECRET}
    mine = t.runs.c.id == run_id
    served.write(lambda tx: tx.connection.execute(update(t.runs).where(mine).values(**values)))
    past = update(t.dataclips).values(inserted_at=now() - 500 * SECOND)
    served.write(lambda tx: tx.connection.execute(past))
    served.call(clean_up)
    row = served.write(lambda tx: tx.connection.execute(select(t.runs).where(mine)).one())
    assert row.webhook_response is None
    clip = served.write(lambda tx: tx.connection.execute(select(t.dataclips)).one())
    assert (clip.digest, clip.size, clip.wiped_at is None) == ("", 0, False)
    assert number(served, t.dataclip_bodies) == [0]


@sqlite_only
def test_what_is_erased_is_in_no_page_of_the_file(served: Served) -> None:
    erase_all(served)
    run_id = served.post({"id": SECRET, "more": "x" * 20_000})
    folder = Path(served.settings.data)
    assert any(SECRET.encode() in path.read_bytes() for path in folder.glob("platform.db*"))
    values = {"state": "lost", "finished_at": now() - 500 * SECOND}
    served.write(
        lambda tx: tx.connection.execute(
            update(t.runs).where(t.runs.c.id == run_id).values(**values)
        )
    )
    past = update(t.dataclips).values(inserted_at=now() - 500 * SECOND)
    served.write(lambda tx: tx.connection.execute(past))
    assert served.call(clean_up)["erased"] == 1
    for path in folder.glob("platform.db*"):
        assert SECRET.encode() not in path.read_bytes(), path.name


@pytest.mark.parametrize("what", list(What))
def test_no_step_of_a_cleaning_scans_a_table(store: Store, what: What) -> None:
    run_id = store.enqueue()
    line = LogLine(timestamp="1", message=["x"])
    store.write(lambda tx: logs.add(tx, run_id, [(line, "x")]))
    store.change(run_id, state="success", finished_at=1)
    store.write(lambda tx: tx.connection.execute(update(t.work_orders).values(last_activity=1)))
    project = store.read(lambda c: str(c.scalar(select(t.projects.c.id))))
    rule = Rule(project, what, now() + DAY)

    def clean(tx: Any) -> None:
        ids = retention.find(tx.connection, rule)
        assert ids
        assert retention.remove_lines(tx, rule, ids) == (what in {What.LOGS, What.RUNS})
        retention.remove(tx, rule, ids)

    assert scans(store, clean) == set()


def test_files_are_written_anew_in_a_twentieth_of_the_time(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    times, forgotten = iter([0.0, 3.0, 30.0, 62.9, 63.1, 64.0]), list[int]()
    files = Files(clock=lambda: next(times))
    database = served.platform.database
    monkeypatch.setattr(database, "forget_freed", lambda: not forgotten.append(1))  # type: ignore[func-returns-value]

    def clean(*, removed: bool) -> int:
        served.call(lambda platform: files.clean(platform, removed=removed))
        return len(forgotten)

    assert clean(removed=True) == 1
    assert clean(removed=True) == clean(removed=False) == 1, "it rests for 60 seconds"
    assert clean(removed=False) == 2, "what was removed meanwhile goes now"

"""Cron triggers on a real database: zones, overlap, catch-up, several platforms, pause."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy import select

from holdfast.platform.clock import SECOND, from_iso, iso, now
from holdfast.platform.project.schedule import Schedule
from holdfast.platform.service import Chore
from holdfast.platform.start import cron
from holdfast.platform.store import dataclips
from holdfast.platform.store import tables as t
from holdfast.platform.store.runs import last_success, run_to_show
from support.platform import RunTalk, Served, Store, beside

CRON = str(uuid.UUID(int=81))
COUNT = str(uuid.UUID(int=82))
FLOW = str(uuid.UUID(int=83))


@pytest.fixture
def chores() -> Iterable[Chore]:
    return ()


@pytest.fixture
def other(served: Served, tmp_path: Path) -> Iterator[Served]:
    with beside(served, tmp_path / "other") as second:
        yield second


def cron_project(**trigger: Any) -> dict[str, Any]:
    return {
        "id": str(uuid.UUID(int=80)),
        "name": "timed",
        "workflows": [
            {
                "id": FLOW,
                "name": "Counting",
                "jobs": [{"id": COUNT, "name": "Count", "body": "fn(s => s)"}],
                "triggers": [
                    {"id": CRON, "type": "cron", "enabled": True, "cron_expression": "*/5 * * * *"}
                    | trigger
                ],
                "edges": [{"source_trigger_id": CRON, "target_job_id": COUNT}],
            }
        ],
    }


def at(text: str) -> int:
    return from_iso(f"2026-01-01T{text}")


def test_a_cron_trigger_fires_once_in_its_minute(served: Served) -> None:
    served.deploy(cron_project())

    def fire(text: str) -> int:
        return len(served.call(lambda platform: cron.fire_due(platform, at(text))))

    assert [fire("10:04"), fire("10:05"), fire("10:05"), fire("10:00"), fire("10:10")] == [
        0, 1, 0, 0, 1,
    ]  # fmt: skip


def test_a_disabled_cron_trigger_does_not_fire(store: Store) -> None:
    store.deploy(cron_project(enabled=False))
    assert store.read(lambda c: cron.due(c, at("10:05"))) == []


@pytest.mark.parametrize("cursor", [None, COUNT])
def test_cron_goes_on_from_the_last_success(
    served: Served, monkeypatch: pytest.MonkeyPatch, cursor: str | None
) -> None:
    served.deploy(cron_project(cron_cursor_job_id=cursor))
    served.call(lambda platform: cron.fire_due(platform, at("10:05")))
    with served.worker() as worker:
        talk = worker.take()
        assert json.loads(talk.ok("fetch:dataclip", {})) == {}
        talk.start()
        step = talk.start_step(COUNT)
        end = talk.step_end(step, COUNT, output_dataclip='{"count":1}')
        talk.ok("step:complete", end)
        talk.complete(final_dataclip_id=end["output_dataclip_id"])
        served.call(lambda platform: cron.fire_due(platform, at("10:10")))
        (run,) = worker.claim()
        worker.join_run(run)
        again = RunTalk(worker, run)
        assert json.loads(again.ok("fetch:dataclip", {})) == {"count": 1}
        again.start()
        step = again.start_step(COUNT)
        again.ok("step:complete", again.step_end(step, COUNT, reason="fail"))
        again.complete(reason="fail")
        served.call(lambda platform: cron.fire_due(platform, at("10:15")))
        (run,) = worker.claim()
        worker.join_run(run)
        third = RunTalk(worker, run)
        assert json.loads(third.ok("fetch:dataclip", {})) == {"count": 1}, "failures are skipped"
        tried = served.try_step(COUNT)
        one = worker.take()
        assert one.id == tried
        one.start()
        step = one.start_step(COUNT)
        end = one.step_end(step, COUNT, output_dataclip='{"count":99}')
        one.ok("step:complete", end)
        one.complete(final_dataclip_id=end["output_dataclip_id"])
        monkeypatch.setattr(dataclips, "_NEWEST", 1)  # the success is older than those
        served.call(lambda platform: cron.fire_due(platform, at("10:20")))
        fourth = worker.take()
        assert json.loads(fourth.ok("fetch:dataclip", {})) == {"count": 1}, "what was tried, too"
        row = served.write(lambda tx: run_to_show(tx.connection, fourth.id))
        assert row is not None
        before = served.write(lambda tx: last_success(tx.connection, row))
        assert before == talk.id, "nothing is compared with it"
        monkeypatch.setattr(dataclips, "_FARTHEST", 1)
        found = served.write(lambda tx: dataclips.latest_output(tx.connection, "", COUNT))
        assert found is None, "it does not look through all of a long history"


def fire(served: Served, text: str) -> int:
    """How many runs a minute makes."""
    return len(served.call(lambda platform: cron.fire_due(platform, at(text))))


def times(served: Served) -> list[str]:
    """The times that work orders of the trigger were made for."""
    w = t.work_orders.c
    query = select(w.scheduled_at).where(w.trigger_id == CRON).order_by(w.scheduled_at)
    found = served.write(lambda tx: list(tx.connection.scalars(query)))
    return [str(iso(time))[11:16] for time in found]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (None, ["10:05", "10:20"]),
        ("one", ["10:05", "10:20"]),
        ("all", ["10:05", "10:10", "10:15", "10:20"]),
    ],
)
def test_what_was_missed_is_made_up_for_as_the_author_says(
    served: Served, rule: str | None, expected: list[str]
) -> None:
    served.deploy(cron_project(cron_catch_up=rule))
    fire(served, "10:05")
    fire(served, "10:20")
    assert times(served) == expected
    fire(served, "10:22")
    assert times(served) == expected, "nothing is made up for twice"


def look(served: Served, text: str, looks: cron.Looks) -> None:
    """As the process does that has looked before."""
    served.call(lambda platform: cron.fire_due(platform, at(text), looks))


@pytest.mark.parametrize("broken", ["fire", "due"])
def test_times_whose_runs_could_not_be_made_are_late_and_not_missed(
    served: Served, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    served.deploy(cron_project())
    fire(served, "10:00")
    looks = cron.Looks(at("10:04"))
    with monkeypatch.context() as patched:
        patched.setattr(cron, broken, Mock(side_effect=RuntimeError("no disk")))
        for text in ("10:05", "10:06"):
            with nullcontext() if broken == "fire" else pytest.raises(RuntimeError):
                look(served, text, looks)
    look(served, "10:07", looks)
    assert times(served) == ["10:00", "10:05"]
    assert looks.owed == {}


def test_times_of_a_long_outage_are_missed(served: Served) -> None:
    served.deploy(cron_project())
    fire(served, "10:00")
    look(served, "10:22", cron.Looks(at("10:01")))
    assert times(served) == ["10:00", "10:15", "10:20"], "ten minutes late, and no more"


def test_one_bad_row_keeps_no_other_from_starting(served: Served) -> None:
    served.deploy(cron_project())
    good = served.write(lambda tx: tx.connection.execute(select(t.triggers)).all())
    bad = [
        {"cron_timezone": "Mars/Olympus"},
        {"cron_timezone": "../UTC"},
        {"cron_expression": "never"},
        {"cron_catch_up": "some"},
        {"cron_overlap": "odd"},
    ]
    (row,) = [row._asdict() for row in good if row.id == CRON]
    rows = [{**row, "id": str(uuid.uuid4()), **change} for change in bad]
    served.write(lambda tx: tx.connection.execute(t.triggers.insert(), rows))
    assert fire(served, "10:05") == 1
    answer = served.client.get("/api/projects/timed/schedule")
    assert answer.status_code == 200


def test_one_run_stands_for_all_missed_times(served: Served) -> None:
    served.deploy(cron_project(cron_catch_up="one"))
    fire(served, "10:05")
    assert fire(served, "10:21") == 1
    assert times(served) == ["10:05", "10:20"]


def test_a_time_zone_shifts_the_times(served: Served) -> None:
    served.deploy(cron_project(cron_expression="30 9 * * *", cron_timezone="Asia/Kathmandu"))
    assert [fire(served, "03:44"), fire(served, "03:45"), fire(served, "09:30")] == [0, 1, 0]


def test_skip_starts_nothing_beside_a_run_that_has_not_ended(served: Served) -> None:
    served.deploy(cron_project(cron_overlap="skip"))
    assert fire(served, "10:05") == 1
    assert fire(served, "10:10") == 0, "it waits"
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        assert fire(served, "10:15") == 0, "it is under way"
        talk.complete()
    assert fire(served, "10:20") == 1


def test_queue_gives_one_run_after_the_other_to_workers(served: Served) -> None:
    served.deploy(cron_project(cron_overlap="queue"))
    fire(served, "10:05")
    fire(served, "10:10")
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        assert worker.claim(5) == []
        talk.complete()
        assert len(worker.claim(5)) == 1


def test_two_platforms_make_each_minute_once(served: Served, other: Served) -> None:
    served.deploy(cron_project(cron_expression="* * * * *", cron_catch_up="all"))
    fire(served, "10:00")
    minutes = [f"10:{n:02}" for n in (1, 2, 3, 9, 40)]

    def look(platform: Served) -> int:
        return sum(fire(platform, text) for text in minutes)

    with ThreadPoolExecutor(2) as pool:
        made = sum(pool.map(look, (served, other)))
    assert made == 40
    assert times(served) == [f"10:{n:02}" for n in range(41)]


def test_a_paused_workflow_rests_and_its_missed_times_follow_the_rule(served: Served) -> None:
    served.deploy(cron_project(cron_catch_up="all"))
    fire(served, "10:05")
    assert served.client.post(f"/api/workflows/{FLOW}/pause").status_code == 200
    assert fire(served, "10:10") == 0
    shown = served.client.get(f"/api/workflows/{FLOW}").json()["data"]
    assert shown["paused_by"] == "admin token"
    with served.worker() as worker:
        worker.join_queue()
        assert worker.claim() == []
        assert served.client.put(f"/api/workflows/{FLOW}", json=shown).status_code == 200
        assert served.client.post(f"/api/workflows/{FLOW}/resume").status_code == 200
        worker.wait_for_push("work-available")
        assert len(worker.claim()) == 1
    assert fire(served, "10:15") == 2


def test_changed_times_owe_none_of_the_past(served: Served) -> None:
    served.deploy(cron_project(cron_catch_up="all"))
    fire(served, "10:05")
    served.deploy(cron_project(cron_catch_up="all", cron_expression="*/3 * * * *"))
    assert fire(served, "10:30") == 0, "it is decided up to the deployment, which is now"


def test_the_next_times_are_shown(served: Served) -> None:
    served.deploy(cron_project(cron_timezone="Europe/Berlin", cron_overlap="skip"))
    answer = served.client.get("/api/projects/timed/schedule", params={"count": 2})
    (shown,) = answer.json()["data"]
    assert (shown["workflow"], shown["cron_timezone"]) == ("Counting", "Europe/Berlin")
    assert (shown["cron_overlap"], shown["cron_catch_up"]) == ("skip", "none")
    first, second = (from_iso(time) for time in shown["next_times"])
    assert second - first == 300 * SECOND
    flow = served.client.get("/api/provision/timed").json()["data"]["workflows"][0]["id"]
    for path, many in ((f"/workflows/{flow}", 1), (f"/workflows/{flow}/edit", 1)):
        page = served.client.get(path).text
        assert page.count(f'<time datetime="{iso(second)}"') == many, path
    assert served.client.get("/api/projects/timed/schedule?count=0").status_code == 422


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("cron_timezone", "Mars/Olympus", "no time zone"),
        ("cron_overlap", "never", "cron_overlap must be one of all, skip, queue"),
        ("cron_catch_up", "some", "cron_catch_up must be one of none, one, all"),
    ],
)
def test_wrong_rules_are_refused_with_their_place(
    shared: Served, member: str, value: object, words: str
) -> None:
    answer = shared.client.post("/api/provision", json=cron_project(**{member: value}))
    assert answer.status_code == 422
    assert words in answer.text
    assert "trigger cron" in answer.text


def test_the_next_time_is_in_the_future() -> None:
    first, second = cron.next_times(Schedule("* * * * *"), 2)
    assert now() < first <= now() + 60 * SECOND
    assert second == first + 60 * SECOND
    assert cron.next_times(Schedule("nonsense"), 2) == []
    assert cron.next_times(Schedule("* * * * *", "Mars/Olympus"), 2) == []

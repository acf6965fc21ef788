"""`/metrics` of the platform: what it counts, and who may see it."""

from __future__ import annotations

import json

import httpx
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select, update

from holdfast.platform.figures import described
from holdfast.platform.store import tables as t
from support.platform import PROJECT, TRIGGER, Served


def figures(served: Served) -> dict[tuple[str, ...], float]:
    """Value by name and labels."""
    answer = served.client.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name.removeprefix("holdfast_platform_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_a_run_is_counted_from_its_start_to_its_end(served: Served) -> None:
    served.post()
    served.post()
    before = figures(served)
    assert before["queue_runs", "default"] == 2
    assert before["oldest_wait_seconds",] > 0
    assert before["runs_total", "available"] == 2
    assert before["request_seconds_count", "webhook", "2xx"] == 2
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        during = figures(served)
        assert during["active_runs", "started"] == 1
        assert (during["workers",], during["capacity_runs",]) == (1, 5)
        assert during["claims_total", "runs"] == during["run_wait_seconds_count",] == 1
        talk.complete()
    after = figures(served)
    assert after["runs_total", "success"] == 1
    assert after["queue_runs", "default"] == 1
    assert after["database_bytes",] > 4096
    assert after["writes_total", "committed"] > before["writes_total", "committed"]
    assert after["processes",] == 1


def test_a_pause_is_seen(served: Served) -> None:
    assert figures(served)["paused", "queue"] == 0
    served.client.post("/api/queue/pause")
    assert figures(served)["paused", "queue"] == 1


def test_what_is_paused_asks_for_no_worker(served: Served) -> None:
    other = json.dumps({**PROJECT, "name": "other"}).replace('"00000000-', '"00000001-')
    served.deploy(json.loads(other))
    trigger = TRIGGER.replace("00000000-", "00000001-", 1)
    served.post()
    served.post(trigger=trigger)
    run = served.post(trigger=trigger)
    of_run = select(t.runs.c.workflow_id).where(t.runs.c.id == run)
    flow = served.write(lambda tx: tx.connection.execute(of_run).scalar_one())
    old = update(t.runs).where(t.runs.c.workflow_id == flow).values(inserted_at=1)
    served.write(lambda tx: tx.connection.execute(old))

    def claimable() -> tuple[float, bool]:
        now = figures(served)
        return now["claimable_runs",], now["claimable_wait_seconds",] > 10**6

    assert claimable() == (3, True)
    served.client.post(f"/api/workflows/{flow}/pause")
    assert claimable() == (1, False)
    served.client.post("/api/queue/pause")
    assert claimable() == (0, False)
    assert figures(served)["queue_runs", "default"] == 3


def test_each_figure_has_help_and_type_and_stands_in_the_list(shared: Served) -> None:
    text = shared.client.get("/metrics").text
    for item in described():
        name = f"{item.name}_total" if item.kind == "counter" else item.name
        assert f"# HELP {name} {item.help}" in text
        assert f"# TYPE {name} {item.kind}" in text


def test_only_administrators_see_them(shared: Served) -> None:
    assert httpx.get(f"{shared.url}/metrics").status_code == 401

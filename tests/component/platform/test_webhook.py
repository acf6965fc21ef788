"""Webhooks over HTTP (`docs/spec/platform.md` 5.1 to 5.3)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.platform import TRIGGER, RunTalk, Served

SYNC = str(uuid.UUID(int=71))
OFF = str(uuid.UUID(int=72))
JOB = str(uuid.UUID(int=73))


def workflow(name: str, trigger: dict[str, Any]) -> dict[str, Any]:
    job = JOB if name == "Sync" else str(uuid.uuid4())
    return {
        "name": name,
        "jobs": [{"id": job, "name": "J", "body": "fn(s => s)"}],
        "triggers": [{"type": "webhook", **trigger}],
        "edges": [{"source_trigger_id": trigger["id"], "target_job_id": job}],
    }


@pytest.fixture
def hooks(served: Served) -> Served:
    config = {"success_code": 200, "error_code": 422}
    served.deploy({
        "name": "hooks",
        "workflows": [
            workflow("Sync", {"id": SYNC, "enabled": True, "webhook_reply": "after_completion",
                              "webhook_response_config": config}),
            workflow("Off", {"id": OFF, "enabled": False, "custom_path": "off-path"}),
        ],
    })  # fmt: skip
    return served


def stored(served: Served, run_id: str) -> Any:
    related = served.client.get(f"/api/runs/{run_id}").json()["data"]["relationships"]
    return served.client.get(f"/api/dataclips/{related['dataclip']['data']['id']}/body").json()


def test_json_makes_a_run_with_its_ids_in_the_headers(served: Served) -> None:
    answer = served.client.post(f"/i/{TRIGGER}", json={"a": ["ü", 1]})
    assert answer.status_code == 200
    assert answer.json()["work_order_id"] == answer.headers["x-meta-work-order-id"]
    run = served.run(answer.headers["x-meta-run-id"])
    assert (run["state"], run["queue"], run["priority"]) == ("available", "default", 1)
    assert stored(served, answer.headers["x-meta-run-id"]) == {"a": ["ü", 1]}


@pytest.mark.parametrize(
    ("content", "kind", "body"),
    [
        (b'[1,{"a":2}]', "application/json", {"_json": [1, {"a": 2}]}),
        (b'"text"', "application/json; charset=utf-8", {"_json": "text"}),
        (b"", "", {}),
        (b'{"resourceType":"Bundle"}', "application/fhir+json", {"resourceType": "Bundle"}),
        (b"a=1&b=%C3%BC", "application/x-www-form-urlencoded", {"a": "1", "b": "ü"}),
        (b'{"configuration":{"p":1},"d":2}', "application/json", {"d": 2}),
    ],
)
def test_other_bodies(shared: Served, content: bytes, kind: str, body: Any) -> None:
    headers = {"content-type": kind} if kind else {}
    answer = shared.client.post(f"/i/{TRIGGER}", content=content, headers=headers)
    assert answer.status_code == 200, answer.text
    assert stored(shared, answer.headers["x-meta-run-id"]) == body


def test_the_request_is_kept_without_its_secrets(served: Served) -> None:
    headers = {"x-api-key": "secret-key", "x-request-id": "r-1"}
    answer = served.client.post(f"/i/{TRIGGER}/Patient?q=1", json={}, headers=headers)
    assert answer.status_code == 200
    with served.worker() as worker:
        clip = json.loads(worker.take().ok("fetch:dataclip", {}))
    request = clip["request"]
    assert request["path"] == ["i", TRIGGER, "Patient"]
    assert request["query_params"] == {"q": "1"}
    assert request["headers"]["x-api-key"] == "[REDACTED]"
    assert request["headers"]["authorization"] == "[REDACTED]"
    assert request["headers"]["x-request-id"] == "r-1"


@pytest.mark.parametrize(
    ("content", "kind", "status", "words"),
    [
        (b"{nope", "application/json", 400, "not JSON"),
        (b"\xff\xfe", "application/json", 400, "not JSON"),
        (b'{"a":NaN}', "application/json", 400, "NaN is not JSON"),
        (b"[" * 100_000, "application/json", 400, "not JSON"),
        (b"<a/>", "application/xml", 415, "application/xml"),
        (b"x" * (10 * 1024 * 1024 + 1), "application/json", 413, "larger than 10 MB"),
        (b"a=" + b"x" * (10 * 1024 * 1024), "application/x-www-form-urlencoded", 413, "10 MB"),
    ],
)
def test_bad_bodies_are_refused_with_words(
    shared: Served, content: bytes, kind: str, status: int, words: str
) -> None:
    def count() -> int:
        return int(shared.client.get("/api/runs").json()["meta"]["total_entries"])

    before = count()
    answer = shared.client.post(f"/i/{TRIGGER}", content=content, headers={"content-type": kind})
    assert answer.status_code == status
    assert words in answer.json()["message"]
    assert count() == before


def test_who_does_not_exist_or_is_off(hooks: Served) -> None:
    for path in (str(uuid.uuid4()), "nowhere", "", f"{uuid.uuid4()}/x"):
        answer = hooks.client.post(f"/i/{path}", json={})
        assert answer.status_code == 404, path
    off = hooks.client.post(f"/i/{OFF}", json={})
    assert (off.status_code, off.json()["error"]) == (403, "trigger_disabled")
    assert hooks.client.post("/i/off-path", json={}).status_code == 403
    assert "POST" in hooks.client.get(f"/i/{TRIGGER}").json()["message"]


def answer_sync(hooks: Served, act: Callable[[RunTalk], None]) -> httpx.Response:
    """Post to the synchronous trigger while a worker does the run."""
    with ThreadPoolExecutor(1) as pool, hooks.worker() as worker:
        worker.join_queue()
        waiting = pool.submit(hooks.client.post, f"/i/{SYNC}", json={"q": 1})
        worker.wait_for_push("work-available")
        (run,) = worker.claim(queues=["fast_lane"])
        worker.join_run(run)
        talk = RunTalk(worker, run)
        act(talk)
        return waiting.result(20)


def end_with(**changes: Any) -> Callable[[RunTalk], None]:
    def act(talk: RunTalk) -> None:
        talk.start()
        step = talk.start_step(JOB)
        end = talk.step_end(step, JOB, **changes)
        talk.ok("step:complete", end)
        talk.complete(final_dataclip_id=end["output_dataclip_id"])

    return act


def test_a_synchronous_webhook_answers_with_the_final_state(hooks: Served) -> None:
    answer = answer_sync(hooks, end_with())
    assert answer.status_code == 200
    assert answer.json()["data"] == {"data": {"n": 1}}
    meta = answer.json()["meta"]
    assert (meta["state"], meta["error_type"]) == ("success", None)
    assert meta["run_id"] == answer.headers["x-meta-run-id"]
    assert meta["finished_at"] >= meta["started_at"]


def test_a_job_may_set_the_answer(hooks: Served) -> None:
    answer = answer_sync(hooks, end_with(webhook_response={"status": 202, "body": {"ok": 1}}))
    assert (answer.status_code, answer.json()["data"]) == (202, {"ok": 1})
    empty = answer_sync(hooks, end_with(webhook_response={"status": 204}))
    assert (empty.status_code, empty.content) == (204, b"")
    odd = answer_sync(hooks, end_with(webhook_response={"status": "teapot"}))
    assert odd.status_code == 200
    assert "status must be a number" in odd.json()["data"]["message"]


def test_a_failed_run_answers_without_its_state(hooks: Served) -> None:
    def act(talk: RunTalk) -> None:
        talk.start()
        talk.complete(reason="fail", error_type="JobError", error_message="no")

    answer = answer_sync(hooks, act)
    assert answer.status_code == 422
    assert answer.json()["data"] == {
        "message": "Run ended with status: failed",
        "status": "failed",
    }
    assert answer.json()["meta"]["error_type"] == "JobError"


def test_a_synchronous_webhook_gives_up_waiting_and_the_run_goes_on(data: Path) -> None:
    with Served(data, webhook_timeout_seconds=0.2) as served:
        served.deploy({
            "name": "hooks",
            "workflows": [workflow("Sync", {"id": SYNC, "enabled": True,
                                            "webhook_reply": "after_completion"})],
        })  # fmt: skip
        answer = served.client.post(f"/i/{SYNC}", json={})
        assert answer.status_code == 504
        assert answer.json()["error"] == "timeout"
        assert served.run(answer.headers["x-meta-run-id"])["state"] == "available"


def test_a_cancelled_run_answers_too(hooks: Served) -> None:
    with ThreadPoolExecutor(1) as pool, hooks.worker() as worker:
        worker.join_queue()
        waiting = pool.submit(hooks.client.post, f"/i/{SYNC}", json={})
        worker.wait_for_push("work-available")
        (run,) = hooks.client.get("/api/runs").json()["data"]
        hooks.client.post(f"/api/runs/{run['id']}/cancel")
        assert waiting.result(20).json()["meta"]["state"] == "cancelled"


def test_many_at_once_all_become_runs(served: Served) -> None:
    with ThreadPoolExecutor(16) as pool:
        ids = set(pool.map(lambda n: served.post({"n": n}), range(100)))
    assert len(ids) == 100
    queue = served.client.get("/api/queue").json()
    assert (queue["available"], queue["by_queue"]) == (100, {"default": 100})

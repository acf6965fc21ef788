"""What people and clocks start: manual runs, retries, cancellation, cron (5.4 to 5.6)."""

from __future__ import annotations

import json
import uuid

import pytest

from support.platform import FETCH, STORE, RunTalk, Served

WORKFLOW = "/api/workflows/{}/runs"
CRON = str(uuid.UUID(int=81))
COUNT = str(uuid.UUID(int=82))


def workflow_id(served: Served, name: str = "demo") -> str:
    data = served.client.get(f"/api/provision/{name}").json()["data"]
    return str(data["workflows"][0]["id"])


def test_a_manual_run_goes_before_others(served: Served) -> None:
    served.post()
    path = WORKFLOW.format(workflow_id(served))
    answer = served.client.post(path, json={"input": {"data": {"n": 2}}})
    assert answer.status_code == 201
    run_id = answer.json()["run_id"]
    run = served.run(run_id)
    assert (run["queue"], run["priority"]) == ("manual", 0)
    with served.worker() as worker:
        talk = worker.take()
        assert talk.id == run_id
        assert json.loads(talk.ok("fetch:dataclip", {})) == {"data": {"n": 2}}


def test_a_manual_run_may_begin_with_a_job(served: Served) -> None:
    path = WORKFLOW.format(workflow_id(served))
    served.client.post(path, json={"job_id": STORE})
    with served.worker() as worker:
        assert worker.take().ok("fetch:plan", {})["starting_node_id"] == STORE


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"input": [1]}', 422),
        (b'{"job_id": "nope"}', 422),
        (b'{"dataclip_id": "nope"}', 404),
        (b"{nope", 400),
        (b"[1]", 400),
        (json.dumps({"input": {"x": "y" * 10**7 * 2}}).encode(), 413),
    ],
)
def test_manual_runs_that_cannot_be(shared: Served, body: bytes, status: int) -> None:
    path = WORKFLOW.format(workflow_id(shared))
    answer = shared.client.post(path, content=body)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert shared.client.post(WORKFLOW.format("nope"), json={}).status_code == 404


def run_both(talk: RunTalk, *, second: str = "success") -> tuple[str, str]:
    """Fetch, then Store; ids of the steps."""
    talk.start()
    first = talk.start_step(FETCH)
    end = talk.step_end(first, FETCH)
    talk.ok("step:complete", end)
    store = str(uuid.uuid4())
    clip = end["output_dataclip_id"]
    talk.ok("step:start", {"step_id": store, "job_id": STORE, "timestamp": talk.now(),
                           "input_dataclip_id": clip})  # fmt: skip
    talk.ok("step:complete", talk.step_end(store, STORE, reason=second, error_type="JobError"))
    talk.complete(reason=second, error_type="JobError")
    return first, store


def test_a_retry_from_a_step_keeps_what_came_before(served: Served) -> None:
    served.post()
    with served.worker() as worker:
        talk = worker.take()
        first, second = run_both(talk, second="fail")
        path = f"/api/runs/{talk.id}/retry"
        new_id = served.client.post(path, json={"step_id": second}).json()["run_id"]
        run = worker.claim()[0]
        assert run["id"] == new_id
        worker.join_run(run)
        again = RunTalk(worker, run)
        plan = again.ok("fetch:plan", {})
        assert plan["starting_node_id"] == STORE
        assert json.loads(again.ok("fetch:dataclip", {})) == {"data": {"n": 1}}
    assert [step["id"] for step in served.steps(new_id)] == [first]
    order = served.client.get(f"/api/runs/{new_id}").json()["data"]["relationships"]["work_order"]
    old = served.client.get(f"/api/runs/{talk.id}").json()["data"]["relationships"]["work_order"]
    assert order == old
    state = served.client.get(f"/api/work_orders/{order['data']['id']}").json()
    assert state["data"]["attributes"]["state"] == "running"


def test_a_retry_from_the_start_uses_the_newest_code(served: Served) -> None:
    run_id = served.post({"n": 5})
    with served.worker() as worker:
        talk = worker.take()
        run_both(talk)
        project = served.client.get("/api/provision/demo").json()["data"]
        project["workflows"][0]["jobs"][0]["body"] = "fn(s => s) // mended"
        served.deploy(project)
        served.client.post(f"/api/runs/{run_id}/retry")
        (run,) = worker.claim()
        worker.join_run(run)
        again = RunTalk(worker, run)
        assert "mended" in again.ok("fetch:plan", {})["jobs"][0]["body"]
        assert json.loads(again.ok("fetch:dataclip", {}))["data"] == {"n": 5}


def test_what_cannot_be_retried(served: Served) -> None:
    run_id = served.post()
    post = served.client.post
    assert post(f"/api/runs/{run_id}/retry").status_code == 422
    assert post("/api/runs/nope/retry").status_code == 404
    with served.worker() as worker:
        worker.take().complete()
    answer = post(f"/api/runs/{run_id}/retry", json={"step_id": "nope"})
    assert answer.status_code == 404


def test_a_run_that_no_worker_has_joined_is_cancelled_at_once(served: Served) -> None:
    first, second, third = served.post(), served.post(), served.post()
    assert served.client.post(f"/api/runs/{second}/cancel").status_code == 200
    assert served.run(second)["state"] == "cancelled"
    with served.worker() as worker:
        assert worker.join_queue()["status"] == "ok"
        claimed = {run["id"]: run for run in worker.claim(2)}
        assert set(claimed) == {first, third}
        assert served.client.post(f"/api/runs/{third}/cancel").json() == {"state": "cancelled"}
        assert worker.join_run(claimed[third])["status"] == "error"
        assert served.run(third)["state"] == "cancelled"
    assert served.client.post(f"/api/runs/{third}/cancel").status_code == 409
    assert served.client.post("/api/runs/nope/cancel").status_code == 404


def test_the_worker_of_a_run_is_asked_to_end_it(served: Served) -> None:
    """Now, and again when it joins later; a worker that does not know how goes on."""
    served.post()
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        answer = served.client.post(f"/api/runs/{talk.id}/cancel")
        assert (answer.status_code, answer.json()) == (202, {"state": "cancelling"})
        _, _, topic, _, payload = worker.wait_for_push("run:abort")
        assert topic == f"run:{talk.id}"
        assert payload["reason"] == "admin token cancelled the run."
        again = worker.join_run(talk.run)["response"]["holdfast"]
        assert again["cancel"] == payload["reason"]
        assert served.run(talk.id)["state"] == "started"
        with served.person() as person:
            page = person.get(f"/runs/{talk.id}").text
            assert "The worker was asked to end the run" in page
        talk.complete(reason="cancel", error_type="Cancelled", error_message=payload["reason"])
    assert served.run(talk.id)["state"] == "cancelled"
    assert served.client.post(f"/api/runs/{talk.id}/cancel").status_code == 409

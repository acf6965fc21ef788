"""One run all the way: webhook, claim, channel, steps, logs, end.

The order is that of `docs/spec/worker-protocol.md` 9.1.
"""

from __future__ import annotations

import json

from support.platform import FETCH, STORE, TRIGGER, Served


def test_a_run_goes_from_webhook_to_its_end(served: Served) -> None:
    run_id = served.post({"name": 'Ann "A" Ng'})
    with served.worker(worker_version="1.25.0") as worker:
        talk = worker.take()
        assert talk.id == run_id
        assert served.run(run_id)["state"] == "claimed"
        plan = talk.ok("fetch:plan", {})
        assert plan["id"] == run_id
        assert plan["starting_node_id"] == TRIGGER
        assert [job["adaptor"] for job in plan["jobs"]] == [
            "@openfn/language-common@3.0.2",
            "@openfn/language-common@9.9.9",
        ]
        assert [edge["condition"] for edge in plan["edges"]] == ["always", "state.data.n > 0"]
        assert plan["options"] == {"output_dataclips": True, "run_timeout_ms": 300_000}
        clip = json.loads(talk.ok("fetch:dataclip", {"id": plan["dataclip_id"]}))
        assert clip["data"] == {"name": 'Ann "A" Ng'}
        assert clip["request"]["method"] == "POST"
        assert talk.start() is None
        step = talk.start_step(FETCH)
        talk.log("got", {"n": 1}, step_id=step)
        end = talk.step_end(step)
        assert talk.ok("step:complete", end) == {"step_id": step}
        done = talk.complete(final_dataclip_id=end["output_dataclip_id"])
        assert done == {**done, "status": "ok", "response": None}
    found = served.run(run_id)
    assert found["state"] == "success"
    assert found["versions"] == {"worker": "1.25.0"}
    (only,) = served.steps(run_id)
    assert (only["job_name"], only["exit_reason"], only["duration_ms"]) == ("Fetch", "success", 5)
    assert served.logs(run_id) == ['got {"n":1}']
    body = served.client.get(f"/api/dataclips/{end['output_dataclip_id']}/body")
    assert body.json() == {"data": {"n": 1}}


def test_a_workflows_egress_policy_is_in_its_plans(served: Served) -> None:
    project = served.client.get("/api/provision/demo").json()["data"]
    for workflow in project["workflows"]:
        workflow["egress"] = "db.internal:5432"
    served.deploy(project)
    served.post()
    with served.worker() as worker:
        plan = worker.take().ok("fetch:plan", {})
    assert plan["options"]["egress"] == "db.internal:5432"


def test_a_run_can_end_without_having_started(served: Served) -> None:
    run_id = served.post()
    with served.worker() as worker:
        talk = worker.take()
        talk.complete(reason="crash", error_type="CompileError", error_message="Fetch: (1:1)")
    found = served.run(run_id)
    assert (found["state"], found["error_type"]) == ("crashed", "CompileError")
    assert found["error_message"] == "Fetch: (1:1)"


def test_several_leaves_make_a_dataclip_of_the_final_state(served: Served) -> None:
    run_id = served.post()
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        assert (
            talk.complete(final_state={FETCH: {"data": 1}, STORE: {"data": 2}})["status"] == "ok"
        )
    clip = served.client.get(f"/api/runs/{run_id}").json()["data"]["relationships"]
    body = served.client.get(f"/api/dataclips/{clip['final_dataclip']['data']['id']}/body").json()
    assert body == {FETCH: {"data": 1}, STORE: {"data": 2}}


def test_the_work_order_follows_its_run(served: Served) -> None:
    run_id = served.post()
    order = served.client.get(f"/api/runs/{run_id}").json()["data"]["relationships"]
    path = f"/api/work_orders/{order['work_order']['data']['id']}"

    def state() -> str:
        return str(served.client.get(path).json()["data"]["attributes"]["state"])

    assert state() == "pending"
    with served.worker() as worker:
        talk = worker.take()
        assert state() == "running"
        talk.start()
        talk.complete(reason="fail", error_type="JobError", error_message="no")
    assert state() == "failed"

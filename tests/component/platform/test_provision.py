"""Projects come in, change, and go (`docs/spec/platform.md` 7.2)."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from holdfast.model.errors import HoldfastError
from holdfast.platform.store.projects import ConflictError
from support.platform import FETCH, PROJECT, STORE, Served, Store


def document(served: Served, name: str = "demo") -> dict[str, Any]:
    data: dict[str, Any] = served.client.get(f"/api/provision/{name}").json()["data"]
    return data


def test_what_is_shown_can_be_sent_again_and_changes_nothing(served: Served) -> None:
    before = document(served)
    answer = served.deploy(before)
    assert answer["holdfast"]["changes"] == []
    assert document(served) == before
    (workflow,) = before["workflows"]
    assert workflow["lock_version"] == 1
    assert [job["name"] for job in workflow["jobs"]] == ["Fetch", "Store"]
    assert [job["adaptor"] for job in workflow["jobs"]][1] == "@openfn/language-common@latest"


def test_runs_execute_the_snapshot_they_were_made_with(served: Served) -> None:
    run_id = served.post()
    changed = document(served)
    changed["workflows"][0]["jobs"][0]["body"] = "fn(s => ({ changed: true }))"
    assert served.deploy(changed)["holdfast"]["changes"] == ["~ job Fetch (Referrals)"]
    assert document(served)["workflows"][0]["lock_version"] == 2
    newer = served.post()
    with served.worker() as worker:
        worker.join_queue()
        bodies = {}
        for run in worker.claim(2):
            worker.join_run(run)
            plan = worker.push(f"run:{run['id']}", "fetch:plan", {})["response"]
            bodies[run["id"]] = plan["jobs"][0]["body"]
    assert bodies == {run_id: "fn(s => s)", newer: "fn(s => ({ changed: true }))"}


def test_a_deleted_job_takes_its_edges_with_it(served: Served) -> None:
    changed = document(served)
    (workflow,) = changed["workflows"]
    workflow["jobs"][1] = {"id": STORE, "delete": True}
    changes = served.deploy(changed)["holdfast"]["changes"]
    assert "- job Store (Referrals)" in changes
    assert len(document(served)["workflows"][0]["edges"]) == 1


def test_a_deleted_workflow_is_off_and_its_name_is_free(served: Served) -> None:
    before = document(served)
    (workflow,) = before["workflows"]
    fresh = {"name": "Referrals", "jobs": [{"name": "J", "body": "fn(s => s)"}]}
    served.deploy({**before, "workflows": [{"id": workflow["id"], "delete": True}, fresh]})
    (left,) = document(served)["workflows"]
    assert left["id"] != workflow["id"]
    assert served.client.post(f"/i/{workflow['triggers'][0]['id']}", json={}).status_code == 404


def test_a_workflow_may_come_back(served: Served) -> None:
    before = document(served)
    served.deploy({**before, "workflows": [{"id": before["workflows"][0]["id"], "delete": True}]})
    served.deploy(before)
    served.post()
    assert document(served)["workflows"][0]["deleted_at"] is None


def test_jobs_may_swap_their_names(served: Served) -> None:
    changed = document(served)
    first, second = changed["workflows"][0]["jobs"]
    first["name"], second["name"] = second["name"], first["name"]
    served.deploy(changed)
    names = {job["id"]: job["name"] for job in document(served)["workflows"][0]["jobs"]}
    assert names == {FETCH: "Store", STORE: "Fetch"}


def test_names_under_new_ids_are_a_conflict_with_words(served: Served) -> None:
    answer = served.client.post("/api/provision", json={**PROJECT, "id": str(uuid.uuid4())})
    assert answer.status_code == 422
    assert "another project is called 'demo'" in answer.json()["errors"]["base"][0]
    key = document(served)["id"]
    answer = served.client.post("/api/provision", json={**PROJECT, "id": key})
    assert answer.status_code == 422
    assert len(document(served)["workflows"]) == 1


def test_a_job_of_another_workflow_cannot_be_taken(store: Store) -> None:
    thief = {
        "name": "thief",
        "workflows": [{"name": "W", "jobs": [{"id": FETCH, "name": "J", "body": "fn(s => s)"}]}],
    }
    with pytest.raises(ConflictError, match="belongs to something else"):
        store.deploy(thief)


def test_errors_come_by_name(served: Served) -> None:
    bad = document(served)
    bad["workflows"][0]["edges"][1]["condition_expression"] = ""
    bad["workflows"][0]["jobs"][0]["name"] = "no/slash"
    answer = served.client.post("/api/provision", json=bad)
    assert answer.status_code == 422
    text = "\n".join(answer.json()["errors"]["base"])
    assert "condition_expression is missing" in text
    assert "no/slash" in text


def test_an_adaptor_that_cannot_be_resolved_stops_the_deployment(served: Served) -> None:
    async def fail(specifier: str) -> str:
        message = f"Error installing {specifier}: the registry cannot be reached"
        raise HoldfastError(message, fix="Check the network.")

    served.platform.resolve = fail
    answer = served.client.post("/api/provision", json=document(served))
    assert answer.status_code == 422
    assert answer.json()["errors"]["base"][1] == "Check the network."


def test_bodies_that_are_no_documents(served: Served) -> None:
    for content in (b"", b"{", b"[]", b"[" * 100_000):
        answer = served.client.post("/api/provision", content=content)
        assert answer.status_code == 422, content[:20]
    assert served.client.get("/api/provision/nobody").status_code == 404


def test_what_a_document_does_not_name_stays_as_it_is(served: Served) -> None:
    before = document(served)
    (workflow,) = before["workflows"]
    kept = {"retention_policy": "erase_all", "concurrency": 3, "history_retention_period": 30}
    whole = {**workflow, "egress": "none", "concurrency": 2, "enable_job_logs": False}
    served.deploy({"id": before["id"], **kept, "workflows": [whole]})
    set_up = document(served)
    served.deploy({"id": before["id"]})
    parts = {name: [{"id": item["id"]} for item in workflow[name]] for name in ("jobs", "edges")}
    served.deploy({"id": before["id"], "workflows": [{"id": workflow["id"], **parts}]})
    assert document(served) == set_up
    assert {name: set_up[name] for name in kept} == kept
    assert set_up["workflows"][0]["egress"] == "none"
    served.deploy({"id": before["id"], "retention_policy": None})
    assert document(served)["retention_policy"] == "retain_all"


def test_a_step_that_the_cli_removed_takes_its_edge_along(served: Served) -> None:
    before = document(served)
    (workflow,) = before["workflows"]
    first, second = workflow["edges"]
    lost = {key: value for key, value in second.items() if key != "target_job_id"}
    sent = {**workflow, "jobs": [workflow["jobs"][0]], "edges": [first, lost]}
    served.deploy({**before, "workflows": [sent]})
    (left,) = document(served)["workflows"]
    assert [job["name"] for job in left["jobs"]] == ["Fetch"]
    assert [edge["id"] for edge in left["edges"]] == [first["id"]]
    served.post()


def test_an_edge_to_nowhere_is_refused(served: Served) -> None:
    before = document(served)
    (workflow,) = before["workflows"]
    edges = [*workflow["edges"], {"source_job_id": FETCH}]
    answer = served.client.post(
        "/api/provision", json={**before, "workflows": [{**workflow, "edges": edges}]}
    )
    assert answer.status_code == 422
    assert "has no target job" in answer.text
    assert document(served) == before


def test_a_collection_keeps_the_id_it_was_given_and_goes_by_it(served: Served) -> None:
    before = document(served)
    key = str(uuid.uuid4())
    served.deploy({"id": before["id"], "collections": [{"id": key, "name": "codes"}]})
    assert document(served)["collections"] == [{"id": key, "name": "codes"}]
    gone = served.deploy({"id": before["id"], "collections": [{"id": key, "delete": True}]})
    assert gone["holdfast"]["changes"] == ["- collection codes"]
    assert document(served)["collections"] == []


def test_a_workflow_goes_as_the_cli_sends_it(served: Served) -> None:
    before = document(served)
    (workflow,) = before["workflows"]
    served.deploy({"id": before["id"], "workflows": [{**workflow, "jobs": {}, "delete": True}]})
    assert document(served)["workflows"] == []


def test_a_custom_path_belongs_to_one_trigger_of_all_projects(served: Served) -> None:
    def project(name: str) -> dict[str, Any]:
        trigger = {"id": str(uuid.uuid4()), "type": "webhook", "custom_path": "mine"}
        jobs = [{"name": "J", "body": "fn(s => s)"}]
        return {"name": name, "workflows": [{"name": "W", "jobs": jobs, "triggers": [trigger]}]}

    served.deploy(project("first"))
    answer = served.client.post("/api/provision", json=project("second"))
    assert answer.status_code == 422
    assert "another trigger has the custom path 'mine'" in answer.text


def test_an_answer_code_that_is_no_status_is_refused(served: Served) -> None:
    before = document(served)
    (workflow,) = before["workflows"]
    trigger = {**workflow["triggers"][0], "webhook_response_config": {"success_code": 42}}
    answer = served.client.post(
        "/api/provision",
        json={"id": before["id"], "workflows": [{**workflow, "triggers": [trigger]}]},
    )
    assert answer.status_code == 422
    assert "success_code must be a number from 200 to 599" in answer.text


def test_npms_package_of_a_short_name_is_never_taken(served: Served) -> None:
    before = document(served)
    (workflow,) = before["workflows"]
    jobs = [{**workflow["jobs"][0], "adaptor": "common@latest"}, {"id": STORE, "adaptor": "@x/y"}]
    sent = {"id": before["id"], "workflows": [{**workflow, "jobs": jobs}]}
    answer = served.client.post("/api/provision", json=sent)
    assert answer.status_code == 422
    assert "'@x/y' is not an adaptor" in answer.text
    jobs.pop()
    served.deploy({"id": before["id"], "workflows": [{**workflow, "jobs": jobs}]})
    (job,) = document(served)["workflows"][0]["jobs"]
    assert job["adaptor"] == "@openfn/language-common@latest"

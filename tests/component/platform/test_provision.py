"""Projects come in, change, and go (`docs/spec/platform.md` 7.2)."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from holdfast.model.errors import HoldfastError
from holdfast.platform.project.deployment import to_payload
from holdfast.platform.project.read import parse_project
from holdfast.platform.project.versions import version_of
from holdfast.platform.store.projects import ConflictError
from support.platform import FETCH, PROJECT, STORE, TRIGGER, Served, Store


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


def test_a_member_of_a_wrong_kind_changes_nothing(served: Served) -> None:
    served.deploy({**document(served), "retention_policy": "erase_all"})
    before = document(served)
    key = {"id": before["id"]}
    workflow = {"id": before["workflows"][0]["id"]}
    for bad in (
        {"retention_policy": True},
        {"description": 5},
        {"workflows": [{**workflow, "edges": 5}]},
        {"workflows": [{**workflow, "triggers": "none"}]},
    ):
        assert served.client.post("/api/provision", json={**key, **bad}).status_code == 422
    assert document(served) == before


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
    assert "collections" not in document(served)


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


def test_history_grows_by_changes_only_and_names_who_made_them(served: Served) -> None:
    (workflow,) = document(served)["workflows"]
    (first,) = workflow["version_history"]
    assert first == version_of(workflow, [], "cli")
    served.deploy(document(served))
    changed = document(served)
    changed["workflows"][0]["jobs"][0]["body"] = "fn(s => ({}))"
    served.deploy(changed)
    (after,) = document(served)["workflows"]
    assert after["version_history"] == [first, version_of(after, [], "cli")]
    back = document(served)
    back["workflows"][0]["jobs"][0]["body"] = "fn(s => s)"
    served.deploy(back)
    assert len(document(served)["workflows"][0]["version_history"]) == 3


def test_another_persons_change_is_not_overwritten_without_a_word(served: Served) -> None:
    mine, theirs = document(served), document(served)
    theirs["workflows"][0]["jobs"][0]["body"] = "fn(s => ({ theirs: true }))"
    served.deploy(theirs)
    answer = served.client.post("/api/provision", json=mine)
    assert answer.status_code == 422
    assert "others have changed since you looked: workflow Referrals" in answer.text
    gone = [{"id": mine["workflows"][0]["id"], "delete": True, "lock_version": 1}]
    answer = served.client.post("/api/provision", json={"id": mine["id"], "workflows": gone})
    assert answer.status_code == 422
    assert len(document(served)["workflows"]) == 1


def test_members_that_only_clients_read_are_kept_and_given_back(served: Served) -> None:
    key = str(uuid.uuid4())
    channel = {"id": key, "name": "out", "destination_url": "https://example.org", "enabled": True}
    kept = {"env": "staging", "color": "#fff", "requires_mfa": True, "channels": [channel]}
    before = document(served)
    assert "channels" not in before
    positions = {"positions": {"a": {"x": 1.5, "y": 2}}}
    workflow = {**before["workflows"][0], **positions}
    served.deploy({"id": before["id"], **kept, "workflows": [workflow]})
    after = document(served)
    assert {name: after[name] for name in kept} == kept
    assert after["workflows"][0]["positions"] == positions["positions"]
    served.deploy({"id": before["id"]})
    assert document(served) == after
    gone = {"channels": [{"id": key, "delete": True}], "color": None}
    served.deploy({"id": before["id"], **gone})
    assert "channels" not in document(served)
    assert document(served)["color"] is None


def test_triggers_and_edges_are_shown_without_what_is_null(served: Served) -> None:
    (workflow,) = document(served)["workflows"]
    assert workflow["triggers"] == [{"id": TRIGGER, "type": "webhook", "enabled": True}]
    assert [sorted(edge) for edge in workflow["edges"]] == [
        ["condition_type", "enabled", "id", "source_trigger_id", "target_job_id"],
        ["condition_expression", "condition_type", "enabled", "id", "source_job_id",
         "target_job_id"],
    ]  # fmt: skip
    assert workflow["jobs"][0]["project_credential_id"] is None


@pytest.mark.parametrize("path", ["/api/provision/", "/api/provision/?", "/api/provision"])
def test_a_slash_at_the_end_costs_no_redirection(served: Served, path: str) -> None:
    answer = served.client.post(path, json=document(served), follow_redirects=False)
    assert answer.status_code == 201
    shown = served.client.get(f"/api/provision/{document(served)['id']}?", follow_redirects=False)
    assert shown.status_code == 200


def test_a_version_of_an_adaptor_that_does_not_exist_is_refused(served: Served) -> None:
    asked: list[str] = []

    async def confirm(name: str) -> str | None:
        asked.append(name)
        if name.endswith("@0.0.1"):
            message = f"Error installing {name}: this package has no such version"
            raise HoldfastError(message)
        return f"{name} was taken as it is" if name.endswith("@7.0.0") else None

    served.platform.confirm = confirm
    assert served.deploy(document(served))["holdfast"]["notes"] == []
    assert asked == []
    changed = document(served)
    changed["workflows"][0]["jobs"][0]["adaptor"] = "@openfn/language-http@0.0.1"
    answer = served.client.post("/api/provision", json=changed)
    assert answer.status_code == 422
    assert "no such version" in answer.text
    changed["workflows"][0]["jobs"][0]["adaptor"] = "@openfn/language-http@7.0.0"
    notes = served.deploy(changed)["holdfast"]["notes"]
    assert notes == ["@openfn/language-http@7.0.0 was taken as it is"]


def test_the_projects_file_can_be_fetched_and_says_the_same(served: Served) -> None:
    before = document(served)
    answer = served.client.get("/api/provision/yaml", params={"id": before["id"]})
    assert answer.status_code == 200
    project = parse_project(answer.text, Path("project.yaml"))
    assert served.deploy(to_payload(project, before))["holdfast"]["changes"] == []
    assert document(served) == before
    for query in ("", "?id=nobody"):
        assert served.client.get(f"/api/provision/yaml{query}").status_code == 404

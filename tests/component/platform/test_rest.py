"""Projects, workflows, jobs and credentials over the API (`docs/spec/platform.md` 7.1)."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from support.platform import FETCH, TRIGGER, Served


def get(served: Served, path: str, status: int = 200, **query: Any) -> dict[str, Any]:
    answer = served.client.get(path, params=query)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ids(served: Served) -> tuple[str, str]:
    """Of the project and its workflow."""
    data = get(served, "/api/provision/demo")["data"]
    return data["id"], data["workflows"][0]["id"]


def test_projects_workflows_and_jobs_are_listed(served: Served) -> None:
    project, workflow = ids(served)
    (one,) = get(served, "/api/projects")["data"]
    assert (one["id"], one["type"], one["attributes"]["name"]) == (project, "projects", "demo")
    assert get(served, f"/api/projects/{project}")["data"] == one
    for path in ("/api/workflows", f"/api/projects/{project}/workflows"):
        found = get(served, path)
        assert [item["name"] for item in found["workflows"]] == ["Referrals"]
        assert found["errors"] == {}
        assert found["meta"]["total_entries"] == 1
    shown = get(served, f"/api/workflows/{workflow}")["workflow"]
    assert [job["name"] for job in shown["jobs"]] == ["Fetch", "Store"]
    assert [job["attributes"]["name"] for job in get(served, "/api/jobs")["data"]] == [
        "Fetch",
        "Store",
    ]
    job = get(served, f"/api/jobs/{FETCH}")["data"]
    assert job["attributes"]["body"] == "fn(s => s)"
    assert job["relationships"]["workflow"]["data"]["id"] == workflow


def test_lists_are_paged_and_filtered(served: Served) -> None:
    _, workflow = ids(served)
    first = get(served, "/api/jobs", page_size=1)
    assert [job["attributes"]["name"] for job in first["data"]] == ["Fetch"]
    assert first["meta"]["total_pages"] == 2
    assert "page=2" in first["links"]["next"]
    second = get(served, "/api/jobs", page_size=1, page=2, workflow_id=workflow)
    assert [job["attributes"]["name"] for job in second["data"]] == ["Store"]
    assert get(served, "/api/workflows", name="nobody")["workflows"] == []
    assert get(served, "/api/projects", inserted_after="2100-01-01")["data"] == []
    get(served, "/api/projects", 422, inserted_after="soon")
    other = str(uuid.uuid4())
    assert get(served, "/api/workflows", project_id=other)["workflows"] == []


@pytest.mark.parametrize(
    "path", ["/api/projects/x", "/api/workflows/x", "/api/jobs/x", "/api/runs/x", "/api/nothing"]
)
def test_what_is_not_there_is_404(served: Served, path: str) -> None:
    get(served, path, 404)


def test_a_workflow_is_made_and_changed(served: Served) -> None:
    project, _ = ids(served)
    made = served.client.post(
        "/api/workflows",
        json={
            "project_id": project,
            "name": "Second",
            "jobs": [{"id": "a", "name": "A", "body": "fn(s => s)"},
                     {"id": "b", "name": "B", "body": "fn(s => s)"}],
            "triggers": [{"id": "t", "type": "cron", "enabled": True, "cron_cursor_job_id": "b"}],
            "edges": [{"id": "e", "source_trigger_id": "t", "target_job_id": "a"},
                      {"id": "f", "source_job_id": "a", "target_job_id": "b"}],
        },
    )  # fmt: skip
    assert made.status_code == 201, made.text
    workflow = made.json()["workflow"]
    assert made.headers["location"] == f"/api/workflows/{workflow['id']}"
    by_name = {job["name"]: job["id"] for job in workflow["jobs"]}
    assert workflow["triggers"][0]["cron_cursor_job_id"] == by_name["B"]
    assert workflow["version_history"][-1].startswith("app:")
    path = f"/api/workflows/{workflow['id']}"
    changed = served.client.patch(path, json={"concurrency": 3})
    assert changed.json()["workflow"]["jobs"] == workflow["jobs"]
    assert get(served, path)["workflow"]["concurrency"] == 3
    jobs = [job for job in workflow["jobs"] if job["name"] == "A"]
    served.client.put(path, json={"jobs": jobs})
    after = get(served, path)["workflow"]
    assert [job["name"] for job in after["jobs"]] == ["A"]
    assert len(after["edges"]) == 1
    assert "cron_cursor_job_id" not in after["triggers"][0]


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"jobs": []}, 422, "has no jobs"),
        ({"edges": [{"source_job_id": FETCH, "target_job_id": FETCH}]}, 422, "circle"),
        ({"triggers": [{"type": "webhook", "enabled": True}, {"type": "cron", "enabled": True}]},
         422, "only one trigger"),
        ({"nonsense": 1}, 422, "extraneous parameters: nonsense"),
        ({"edges": 5}, 422, "edges must be a list of objects"),
        ({"triggers": ["x"]}, 422, "triggers must be a list of objects"),
        ({"jobs": [{"id": FETCH, "name": 5}]}, 422, "name must be text"),
        ({"lock_version": 77}, 422, "others have changed"),
    ],
)  # fmt: skip
def test_what_cannot_run_is_refused(
    served: Served, change: dict[str, Any], status: int, words: str
) -> None:
    _, workflow = ids(served)
    path = f"/api/workflows/{workflow}"
    before = get(served, path)
    answer = served.client.patch(path, json=change)
    assert answer.status_code == status
    assert words in str(answer.json()["errors"])
    assert get(served, path) == before


def test_bodies_that_are_no_workflows(served: Served) -> None:
    project, workflow = ids(served)
    for content in (b"[]", b"{", b"\xff", b'"x"'):
        for path in (f"/api/projects/{project}/workflows", f"/api/workflows/{workflow}"):
            method = "PATCH" if path.startswith("/api/workflows") else "POST"
            answer = served.client.request(method, path, content=content)
            assert answer.status_code == 400, (path, content)
    nowhere = {"project_id": str(uuid.uuid4()), "name": "W"}
    assert served.client.post("/api/workflows", json=nowhere).status_code == 404
    assert served.client.post("/api/workflows", json={"name": "W"}).status_code == 404


def test_credentials_are_listed_without_secrets_and_deleted_when_unused(served: Served) -> None:
    project, workflow = ids(served)
    path = f"/api/workflows/{workflow}"
    body = {"name": "HAPI", "owner": "jo", "body": {"password": "s3cret-value"}}
    made = served.client.post(f"/api/projects/{project}/credentials", json=body)
    key = made.json()["data"]["id"]
    for listing in ("/api/credentials", f"/api/projects/{project}/credentials"):
        text = served.client.get(listing).text
        assert "s3cret" not in text
        assert '"has_secret":true' in text
    rest = [{"id": job["id"]} for job in get(served, path)["workflow"]["jobs"][1:]]
    jobs = [{"id": FETCH, "project_credential_id": key}, *rest]
    assert served.client.patch(path, json={"jobs": jobs}).status_code == 200
    refused = served.client.delete(f"/api/credentials/{key}")
    assert refused.status_code == 409
    assert "Fetch" in refused.text
    jobs[0] = {"id": FETCH, "project_credential_id": None}
    served.client.patch(path, json={"jobs": jobs})
    assert served.client.delete(f"/api/credentials/{key}").status_code == 204
    assert get(served, "/api/credentials")["data"] == []
    assert served.client.delete(f"/api/credentials/{key}").status_code == 404
    served.post(trigger=TRIGGER)


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        ("GET", "/api/runs/x", 404, "Not Found"),
        ("GET", "/api/nothing", 404, "Not Found"),
        ("DELETE", "/api/runs", 405, "Method Not Allowed"),
        ("GET", "/api/runs?page=0", 422, "page must be a whole number from 1 to 1000000000"),
        ("POST", "/api/provision", 422, "the body is not JSON"),
        ("GET", "/api/runs?x=%00", 400, "The address has a NUL character."),
    ],
)
def test_errors_are_problem_details(
    served: Served, method: str, path: str, status: int, detail: str
) -> None:
    answer = served.client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert (said["type"], said["status"]) == ("about:blank", status)
    assert said["instance"] == path.partition("?")[0]
    assert detail in said["detail"]
    assert "error" in said or "errors" in said
    nobody = httpx.get(f"{served.url}/api/runs")
    assert nobody.json()["status"] == 401
    assert nobody.headers["www-authenticate"] == "Bearer"

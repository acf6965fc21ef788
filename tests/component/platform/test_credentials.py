"""Credentials over the API and in runs: schemas, environments, keychains, deletion."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.platform import Served

JOB, TRIGGER, KEY, NORTH, MINE, FLOW = (str(uuid.UUID(int=700 + n)) for n in range(6))
PROJECT: dict[str, Any] = {
    "id": MINE,
    "name": "clinics",
    "project_credentials": [{"id": KEY, "name": "key", "owner": "jo"}],
    "workflows": [{
        "id": FLOW,
        "name": "W",
        "jobs": [{"id": JOB, "name": "J", "body": "fn(s => s)", "project_credential_id": KEY}],
        "triggers": [{"id": TRIGGER, "type": "webhook", "enabled": True}],
        "edges": [{"source_trigger_id": TRIGGER, "target_job_id": JOB,
                   "condition_type": "always"}],
    }],
}  # fmt: skip
SCHEMA = {
    "type": "object",
    "required": ["url"],
    "properties": {"url": {"type": "string", "format": "uri"}, "password": {"type": "string"}},
}


@pytest.fixture
def clinics(data: Path) -> Iterator[Served]:
    folder = data.parent / "schemas"
    folder.mkdir()
    (folder / "clinic.json").write_text(json.dumps(SCHEMA))
    with Served(data, schemas_path=folder) as served:
        served.deploy(PROJECT)
        yield served


def put(served: Served, expected: int = 201, **asked: Any) -> Any:
    asked = {"name": "key", "owner": "jo", **asked}
    answer = served.client.post("/api/projects/clinics/credentials", json=asked)
    assert answer.status_code == expected, answer.text
    return answer.json() if expected >= 400 else answer.json()["data"]


def refused(answer: Any, text: str, status: int = 422) -> None:
    assert answer.status_code == status, answer.text
    assert text in answer.json()["detail"]


def ask(served: Served, key: str, body: Any = None) -> dict[str, Any]:
    """What a run is answered that asks for this credential or keychain."""
    served.post(body, trigger=TRIGGER)
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        answer = talk.push("fetch:credential", {"id": key})
        talk.complete()
    return answer


def fetched(served: Served, key: str = KEY, body: Any = None) -> Any:
    answer = ask(served, key, body)
    assert answer["status"] == "ok", answer
    return answer["response"]


def not_given(served: Served, key: str = KEY) -> str:
    answer = ask(served, key)
    assert answer["status"] == "error", answer
    return str(answer["response"]["errors"]["id"][0])


def test_values_must_fit_the_schema_which_names_the_key(clinics: Served) -> None:
    listed = clinics.client.get("/api/credential_schemas").json()["data"]
    assert listed == ["clinic", "oauth", "raw"]
    found = clinics.client.get("/api/credential_schemas/clinic").json()["data"]
    assert found["schema"] == SCHEMA
    assert [(field["key"], field["secret"]) for field in found["fields"]] == [
        ("url", False),
        ("password", True),
    ]
    assert clinics.client.get("/api/credential_schemas/none").status_code == 404
    wrong = put(clinics, 422, schema="clinic", body={"url": "s3cret", "password": 5})
    assert wrong["errors"] == {
        "body.password": ["must be text"],
        "body.url": ["must be written as an address such as https://example.org"],
    }
    assert "s3cret" not in json.dumps(wrong)
    put(clinics, 422, schema="unheard-of", body={})
    made = put(clinics, schema="clinic", body={"url": "https://a.example.org"})
    assert made["attributes"]["schema"] == "clinic"
    # the schema stays, and is asked from then on
    put(clinics, 422, body={"password": "x"})
    path = f"/api/credentials/{KEY}"
    refused(clinics.client.put(path, json={"body": {}}), "body.url is required")
    answer = clinics.client.put(path, json={"schema": "raw", "body": {}, "name": "free"})
    assert answer.json()["data"]["attributes"]["name"] == "free"
    assert fetched(clinics) == {}


def test_each_environment_has_values_of_its_own(clinics: Served) -> None:
    assert "has no secret yet" in not_given(clinics)
    put(clinics, body={"url": "main"})
    shown = put(clinics, body={"url": "staging"}, environment="staging")
    assert shown["attributes"]["environments"] == ["main", "staging"]
    assert fetched(clinics) == {"url": "main"}
    clinics.deploy({**PROJECT, "env": "staging"})
    assert fetched(clinics) == {"url": "staging"}
    put(clinics, body={"url": "staging, too"})
    assert fetched(clinics) == {"url": "staging, too"}
    clinics.deploy({**PROJECT, "env": "live"})
    assert "'live' of this project, only for main, staging" in not_given(clinics)
    refused(
        clinics.client.post(
            "/api/projects/clinics/credentials",
            json={"name": "key", "body": {}, "environment": "Not Good"},
        ),
        "environment must be",
    )
    path = f"/api/credentials/{KEY}"
    assert clinics.client.delete(path, params={"environment": "main"}).status_code == 204
    assert clinics.client.delete(path, params={"environment": "main"}).status_code == 404
    shown = clinics.client.get(path).json()["data"]
    assert shown["attributes"]["environments"] == ["staging"]


def test_a_credential_in_use_stays_and_a_deleted_one_is_gone(clinics: Served) -> None:
    put(clinics, body={"password": "first-password"})
    assert fetched(clinics) == {"password": "first-password"}
    path = f"/api/credentials/{KEY}"
    refused(clinics.client.delete(path), "job J of W", 409)
    clinics.deploy({**PROJECT, "workflows": [{"id": FLOW, "delete": True}]})
    assert clinics.client.delete(path).status_code == 204
    assert clinics.client.get(path).status_code == 404
    assert clinics.client.delete(path).status_code == 404
    listed = clinics.client.get("/api/projects/clinics/credentials").json()["data"]
    assert listed == []
    document = clinics.client.get("/api/provision/clinics").json()["data"]
    assert document["project_credentials"] == []
    clinics.deploy(PROJECT)  # it comes back without its secret
    assert "has no secret yet" in not_given(clinics)


def test_a_keychain_chooses_by_the_input(clinics: Served) -> None:
    def chain(expected: int = 201, **asked: Any) -> Any:
        answer = clinics.client.post("/api/projects/clinics/keychains", json=asked)
        assert answer.status_code == expected, answer.text
        return answer.json().get("data")

    put(clinics, body={"for": "everybody"})
    put(clinics, name="north", external_id="17", body={"for": "the north"})
    chain(422, name="clinic", path="clinic.id")
    chain(422, name="clinic", path="$.clinic.id", default_credential_id=NORTH)
    made = chain(name="clinic", path="$.clinic.id")
    changed = copy.deepcopy(PROJECT)
    job = changed["workflows"][0]["jobs"][0]
    job |= {"project_credential_id": None, "keychain_credential_id": made["id"]}
    clinics.deploy(changed)
    document = clinics.client.get("/api/provision/clinics").json()["data"]
    assert document["workflows"][0]["jobs"][0]["keychain_credential_id"] == made["id"]
    assert fetched(clinics, made["id"], {"clinic": {"id": 17}}) == {"for": "the north"}
    assert fetched(clinics, made["id"], {"clinic": {"id": "18"}}) is None
    assert chain(name="clinic", path="$.clinic.id", default_credential_id=KEY)["id"] == made["id"]
    assert fetched(clinics, made["id"], {"clinic": {"id": "18"}}) == {"for": "everybody"}
    assert fetched(clinics, made["id"], {}) == {"for": "everybody"}
    assert not_given(clinics) == "Credential not found!"  # by its own id
    path = f"/api/keychains/{made['id']}"
    refused(clinics.client.delete(f"/api/credentials/{KEY}"), "keychain clinic", 409)
    refused(clinics.client.delete(path), "jobs use this keychain: J", 409)
    clinics.deploy(PROJECT)  # sending a credential takes the keychain away
    assert clinics.client.delete(path).status_code == 204
    assert clinics.client.get("/api/projects/clinics/keychains").json() == {"data": []}


def test_a_keychain_of_another_project_is_refused(clinics: Served) -> None:
    clinics.deploy({"name": "other", "workflows": []})
    answer = clinics.client.post(
        "/api/projects/other/keychains", json={"name": "far", "path": "$.x"}
    )
    changed = copy.deepcopy(PROJECT)
    job = changed["workflows"][0]["jobs"][0]
    job |= {"project_credential_id": None, "keychain_credential_id": answer.json()["data"]["id"]}
    refused(clinics.client.post("/api/provision", json=changed), "there is no keychain")
    job["project_credential_id"] = KEY
    assert clinics.client.post("/api/provision", json=changed).status_code == 422


def test_a_credential_is_made_by_its_project_in_the_body(clinics: Served) -> None:
    asked = {"name": "new", "body": {}, "project_id": "clinics"}
    answer = clinics.client.post("/api/credentials", json=asked)
    assert answer.status_code == 201
    again = clinics.client.patch(
        f"/api/credentials/{answer.json()['data']['id']}", json={"name": "key", "owner": "jo"}
    )
    refused(again, "another credential of this project is called 'key'", 409)
    assert (
        clinics.client.post("/api/credentials", json={**asked, "project_id": "x"}).status_code
        == 404
    )

"""The typed client asks a real platform, and every answer is what its type says."""

from __future__ import annotations

import re
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from holdfast.client import ApiError, Client
from holdfast.platform.api.answers import ANSWERS, Schemas
from holdfast.platform.api.openapi import operations
from holdfast.platform.api.routes import api_routes
from holdfast.platform.collections.routes import collection_routes
from support.platform import FETCH, Served

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))

import client as written_client

OPERATIONS = {key: path for key, path, _, _ in operations([*api_routes(), *collection_routes()])}
_PLACES = {
    key: re.compile(key.partition(" ")[0] + " " + re.sub(r"\{\w+\}", "[^/]+", path))
    for key, path in OPERATIONS.items()
}


class Watched(Client):
    """Notes each operation with its answers."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__(url, token)
        self.seen: dict[str, list[Any]] = {}

    def ask(self, method: str, path: str, query: Any = None, body: Any = None) -> Any:
        answer = super().ask(method, path, query, body)
        found = [key for key, place in _PLACES.items() if place.fullmatch(f"{method} {path}")]
        # a fixed address goes before one with a part that may be anything
        self.seen.setdefault(min(found, key=lambda key: key.count("{")), []).append(answer)
        return answer


def test_the_client_is_what_the_routes_say() -> None:
    texts = written_client.written()
    here = {path.name: path.read_text() for path in written_client.FOLDER.glob("*.py")}
    del here["asking.py"]
    assert here == texts, "run: python scripts/client.py"


@pytest.fixture(scope="module")
def client(shared: Served) -> Iterator[Watched]:
    with Watched(shared.url, shared.platform.keys.admin_token) as asking:
        yield asking


def test_every_answer_is_what_its_type_says(shared: Served, client: Watched) -> None:
    runs_and_logs(shared, client)
    projects_and_workflows(client)
    secrets(shared, client)
    people(client)
    items(client)
    client.queue.pause()
    client.queue.resume()
    client.keys.rotate()
    client.sessions.delete_all()
    missing = set(OPERATIONS) - set(client.seen) - {"GET /api/openapi.json"}
    assert missing == set(), "nothing here asks for these: add them"
    wrong: list[str] = []
    for key, answers in client.seen.items():
        if key not in ANSWERS:
            assert set(answers) == {None} or isinstance(answers[0], str), key
            continue
        closed = Schemas(closed=True)
        schema = closed.of(ANSWERS[key])
        check = Draft202012Validator({**schema, "components": {"schemas": closed.components}})
        for answer in answers:
            wrong += [
                f"{key} {error.json_path}: {error.message}" for error in check.iter_errors(answer)
            ]
    assert "\n".join(wrong) == "", "change holdfast/model/answers/, then run scripts/client.py"


@pytest.mark.parametrize("text", ["", ".", ".."])
def test_a_part_that_would_make_another_address_is_refused(client: Watched, text: str) -> None:
    with pytest.raises(ValueError, match="cannot be a part of an address"):
        client.runs.get(text)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (502, b"<html>", "502: <html>"),
        (502, b'["down"]', r'502: \["down"\]'),
        (502, b"null", "502: null"),
        (500, b"", "500: "),
        (200, b"<html>", "200: The answer is not JSON: <html>"),
    ],
)
def test_whatever_is_answered_is_an_error_of_the_api(status: int, body: bytes, said: str) -> None:
    head = {"content-type": "application/json"}
    answer = httpx.MockTransport(lambda _: httpx.Response(status, headers=head, content=body))
    with Client("https://hf.example.org", "token") as client:
        client._http = httpx.Client(base_url="https://hf.example.org", transport=answer)
        with pytest.raises(ApiError, match=said) as refused:
            client.me.get()
    assert (refused.value.status, refused.value.problem) == (status, {})


def test_no_module_of_the_client_is_long() -> None:
    sizes = {p.name: len(p.read_text().splitlines()) for p in written_client.FOLDER.glob("*.py")}
    assert {name: size for name, size in sizes.items() if size > 500} == {}


def runs_and_logs(served: Served, client: Watched) -> None:
    """One run of each kind: with steps and logs, lost in the queue, started by hand."""
    first = served.post()
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        step = talk.start_step()
        talk.log("hello", id="1")
        talk.ok("step:complete", talk.step_end(step))
        talk.complete(reason="fail", error_type="JobError", error_message="no")
        assert client.workers.list()["data"][0]["connected"]
    run = client.runs.get(first)["data"]
    assert run["attributes"]["state"] == "failed"
    related = run["relationships"]
    clip, order = related["dataclip"]["data"]["id"], related["work_order"]["data"]["id"]
    workflow, project = related["workflow"]["data"]["id"], related["project"]["data"]["id"]
    client.runs.steps(first)
    client.runs.repeats(first)
    client.runs.logs(first)
    client.runs.search_logs(first, q="hello")
    assert client.dataclips.body(clip) == {"n": 1}
    again = client.runs.retry(first)["run_id"]
    client.runs.cancel(again)
    client.workflows.run(workflow, {"input": {"a": 1}})
    assert {item["id"] for item in client.runs.list(workflow_id=workflow)["data"]} >= {
        first,
        again,
    }
    client.work_orders.list()
    client.work_orders.get(order)
    assert client.log_lines.list(run_id=first)["data"][0]["attributes"]["message"] == "hello"
    client.projects.runs(project, page_size=2)
    client.projects.work_orders(project)
    assert client.search.list(q=first)["data"] == client.projects.search(project, q=first)["data"]
    client.queue.get()
    client.problems.list(workflow_id="none")


def projects_and_workflows(client: Watched) -> None:
    document = client.provision.get("demo")["data"]
    nightly = {"id": str(uuid.uuid4()), "type": "cron", "enabled": True}
    flow = {
        "name": "Nightly",
        "triggers": [nightly],
        "jobs": [{"name": "J", "body": "fn(s => s)"}],
    }
    done = client.provision.deploy({**document, "collections": [{"name": "codes"}]})
    assert done["holdfast"]["changes"] == ["+ collection codes"]
    client.provision.deploy({"id": document["id"], "description": None}, dry_run="true")
    assert client.provision.yaml(id_=document["id"]).startswith("name: demo")
    client.projects.list()
    client.projects.get("demo")
    made = client.projects.create_workflow("demo", flow)["data"]
    client.workflows.create({**flow, "name": "Second", "project_id": "demo", "triggers": []})
    client.workflows.change(made["id"], {"concurrency": 2})
    client.workflows.set(made["id"], {"concurrency": None})
    client.workflows.get(made["id"])
    client.workflows.pause(made["id"])
    assert client.queue.get()["paused_workflows"]
    client.workflows.resume(made["id"])
    assert len(client.projects.schedule("demo")["data"]) == 1
    client.workflows.list()
    client.projects.workflows("demo")
    client.jobs.list()
    client.jobs.get(FETCH)
    client.projects.jobs("demo")
    client.collections.list()
    client.projects.collections("demo")
    client.projects.retention("demo")
    client.projects.set_retention("demo", {"documents": 30})
    client.projects.apply_retention("demo", {"dry_run": True})
    client.projects.apply_retention("demo")
    client.projects.create_bulk_action("demo", {"action": "retry", "dry_run": True})
    asked = {"action": "retry", "filters": {"worker": "nobody"}}
    begun = client.projects.create_bulk_action("demo", asked)["data"]
    key = client.projects.bulk_actions("demo")["data"][0]["id"]
    assert begun == {**client.projects.bulk_action("demo", key)["data"], "state": "running",
                     "finished_at": None}  # fmt: skip
    client.projects.stop_bulk_action("demo", key)


def try_connection(shared: Served, client: Watched) -> None:
    """A worker must be there; this one takes no run."""
    values = {"name": "web", "body": {"url": "https://a.example"}}
    key = client.projects.create_credential("demo", values)["data"]["id"]
    with shared.worker() as worker:
        worker.join_queue()
        run_id = client.credentials.test(key)["data"]["run_id"]
    client.runs.cancel(run_id)
    assert client.credentials.get_test(key, run_id)["data"]["finding"] == "cancelled"


def secrets(shared: Served, client: Watched) -> None:
    oauth = client.oauth_clients.create(
        {"name": "idp", "client_id": "x", "token_endpoint": "https://idp.example/token"}
    )["data"]
    client.oauth_clients.list()
    made = client.projects.create_credential(
        "demo", {"name": "one", "body": {"password": "x" * 9}}
    )
    key = made["data"]["id"]
    other = client.credentials.create({"project_id": "demo", "name": "two", "body": {}})["data"][
        "id"
    ]
    client.credentials.list()
    client.projects.credentials("demo")
    client.credentials.get(key)
    client.credentials.change(key, {"external_id": "clinic"})
    client.credentials.set(key, {"external_id": None})
    try_connection(shared, client)
    chain = client.projects.create_keychain("demo", {"name": "clinic", "path": "$.clinic"})
    client.projects.keychains("demo")
    client.keychains.delete(chain["data"]["id"])
    client.credentials.delete(other)
    client.oauth_clients.delete(oauth["id"])
    assert "raw" in client.credential_schemas.list()["data"]
    client.credential_schemas.get("oauth")
    client.projects.set_webhook_key("demo", "partner", {"type": "api_key"})
    client.projects.webhook_keys("demo")
    client.projects.delete_webhook_key("demo", "partner")


def people(client: Watched) -> None:
    alert = client.projects.create_alert("demo", {"mail": "jo@example.org"})["data"]["id"]
    client.projects.alerts("demo")
    client.projects.test_alert("demo", alert)
    client.projects.delete_alert("demo", alert)
    client.me.get()
    user = client.users.create({"email": "jo@example.org"})["data"]["id"]
    client.users.list()
    client.users.change(user, {"name": "Jo"})
    client.users.create_link(user)
    client.projects.set_member("demo", user, {"role": "editor"})
    client.projects.members("demo")
    client.projects.delete_member("demo", user)
    token = client.tokens.create({"name": "mine", "scopes": ["read"]})
    with Client(str(client._http.base_url), token["token"]) as narrow:
        with pytest.raises(ApiError, match="403") as refused:
            narrow.keys.rotate()
        assert refused.value.problem["status"] == refused.value.status == 403
    client.tokens.list()
    client.tokens.delete(token["data"]["id"])
    token = client.projects.create_token("demo", {"name": "deploys", "role": "editor"})
    client.projects.tokens("demo")
    client.projects.delete_token("demo", token["data"]["id"])
    client.session_links.create()
    client._http.get(client.session_links.create()["path"])  # opens a session
    session = client.sessions.list()["data"][0]["id"]
    client.sessions.delete(session)
    client.audit.list(limit="5")
    client.projects.audit("demo")


def items(client: Watched) -> None:
    client.collections.put_item("codes/a", {"value": "1"})
    client.collections.put_items("codes", {"items": [{"key": "b/c", "value": "2"}]})
    page = client.collections.items("codes")
    assert "items" in page
    assert [item["key"] for item in page["items"]] == ["a", "b/c"]
    one = client.collections.items("codes/b/c")
    assert "value" in one
    client.collections.delete_items("codes/a")
    client.collections.delete_items("codes")

"""Pages for credentials, tokens and webhook keys of a project."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import httpx
import pytest

from holdfast.platform.access.visit import FORM_FIELD
from holdfast.platform.store.probes import workflow_of
from support.platform import FETCH, Served

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def person(shared: Served) -> Iterator[httpx.Client]:
    with shared.person() as client:
        yield client


@pytest.fixture(scope="module")
def own(shared: Served) -> str:
    project = shared.client.get("/api/provision/demo").json()["data"]
    return f"/projects/{project['id']}"


def send(person: httpx.Client, page: str, to: str, **values: str | list[str]) -> httpx.Response:
    """Fill a form of a page."""
    found = re.search(f'name="{FORM_FIELD}" value="([0-9a-f]+)"', person.get(page).text)
    assert found
    return person.post(to, data={FORM_FIELD: found[1], **values})


def test_a_credential_is_set_by_the_fields_of_its_schema(
    shared: Served, person: httpx.Client, own: str
) -> None:
    page = f"{own}/credentials"
    form = person.get(page, params={"schema": "oauth"}).text
    assert re.search('name="access_token" type="password"', form)
    asked = {"name": SCRIPT, "access_token": "an-access-token", "expires_at": "soon"}
    answer = send(person, page, f"{page}?schema=oauth", **asked)
    assert answer.status_code == 422
    assert "must be a number" in answer.text
    assert "an-access-token" not in answer.text
    answer = send(person, page, f"{page}?schema=oauth", name="x", environment="main")
    assert "access_token is required" in answer.text
    asked |= {"expires_at": "1900000000", "environment": "staging"}
    assert send(person, page, f"{page}?schema=oauth", **asked).status_code == 303
    shown = person.get(page).text
    assert SCRIPT not in shown
    assert "&lt;script&gt;" in shown
    assert "an-access-token" not in shown
    (row,) = shared.client.get("/api/credentials", params={"name": SCRIPT}).json()["data"]
    assert row["attributes"]["environments"] == ["staging"]
    assert send(person, page, f"{page}/{row['id']}/remove").status_code == 303
    assert "&lt;script&gt;" not in person.get(page).text


def test_a_connection_is_tested_by_a_run_of_a_workflow_that_no_list_shows(
    shared: Served, person: httpx.Client, own: str
) -> None:
    """The worker says why it failed; the secret stands nowhere."""
    page, secret = f"{own}/credentials", "Tr0ub4dor&3"

    def make(name: str, **body: str) -> str:
        asked = {"name": name, "body": body}
        made = shared.client.post(f"/api{own}/credentials", json=asked)
        return str(made.json()["data"]["id"])

    key = make("clinic", baseUrl="https://clinic.example", password=secret)
    assert "No worker is connected" in send(person, page, f"{page}/{key}/test").text
    assert send(person, page, f"{page}/{FETCH}/test").status_code == 404
    with shared.worker() as worker:
        worker.join_queue()
        told = send(person, page, f"{page}/{make('token', token=secret)}/test").text
        assert "Nothing is known of this kind of credential" in told
        place = send(person, page, f"{page}/{key}/test").headers["location"]
        assert "hx-trigger" in person.get(place).text
        talk = worker.take()
        plan = talk.ok("fetch:plan", {})
        assert plan["options"]["run_timeout_ms"] == 30_000
        [job] = plan["jobs"]
        assert "clinic.example" not in job["body"]
        assert talk.ok("fetch:credential", {"id": job["credential_id"]})["password"] == secret
        talk.start()
        words = f"Error: connect ECONNREFUSED for {secret}"
        talk.complete(reason="fail", error_type="RuntimeError", error_message=words)
    shown = person.get(place).text
    assert "The test failed." in shown
    assert "ECONNREFUSED for ***" in shown
    assert "hx-trigger" not in shown.partition('id="tested"')[2].partition(">")[0]
    problems, run = person.get("/problems").text, person.get(f"/runs/{talk.id}").text
    assert "ECONNREFUSED" not in problems
    assert "Retry" not in run, "its workflow is in no list"
    for page_of in ("/runs", "/work_orders"):
        assert f"/workflows/{workflow_of(key)}" not in person.get(page_of).text, (
            "no page of its own"
        )
        assert "Connection of clinic" in person.get(page_of).text
    for text in (shown, run):
        assert secret not in text
        assert html.escape(secret) not in text
    assert "Connection of clinic" not in person.get("/").text.partition("Last runs")[0]
    gone = "There is no such test"
    assert gone in person.get(page, params={"tested": shared.post()}).text
    events = shared.client.get("/api/audit").json()["data"]
    assert "credential tested" in {event["action"] for event in events}
    shared.client.delete(f"/api/credentials/{key}")
    told = person.get(place).text
    assert gone in told, "a page that asks again is answered"
    assert "hx-trigger" not in told.partition('id="tested"')[2].partition(">")[0]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"name": ""}, "needs a name"),
        ({"name": "x", "environment": "No!"}, "An environment must be up to 32"),
        ({"name": "x", "json": "[1]"}, "must be a JSON object"),
        ({"name": "x", "json": "{"}, "not JSON"),
    ],
)
def test_what_is_wrong_with_a_credential_is_said(
    person: httpx.Client, own: str, values: dict[str, str], text: str
) -> None:
    answer = send(person, f"{own}/credentials", f"{own}/credentials", **values)
    assert answer.status_code == 422
    assert text in answer.text


def test_a_token_of_the_project_is_shown_once(
    shared: Served, person: httpx.Client, own: str
) -> None:
    page = f"{own}/keys"
    wrong = send(person, page, f"{own}/tokens", name="x", role="owner", days="", scope="read")
    assert wrong.status_code == 422
    answer = send(
        person, page, f"{own}/tokens", name=SCRIPT, role="viewer", days="30", scope=["read", "run"]
    )
    assert answer.status_code == 201
    found = re.search('id="token">(hf_[^<]+)<', answer.text)
    assert found
    bearer = {"authorization": f"Bearer {found[1]}"}
    assert httpx.get(f"{shared.url}/api/me", headers=bearer).json()["data"]["scopes"] == [
        "read",
        "run",
    ]
    listed = person.get(page).text
    assert found[1] not in listed
    assert SCRIPT not in listed
    key = re.search(r"/tokens/([0-9a-f-]+)/revoke", listed)
    assert key
    assert send(person, page, f"{own}/tokens/{key[1]}/revoke").status_code == 303
    assert httpx.get(f"{shared.url}/api/me", headers=bearer).status_code == 401


def test_a_webhook_key_is_made_rotated_and_removed(person: httpx.Client, own: str) -> None:
    page, to = f"{own}/keys", f"{own}/webhook_keys"
    answer = send(person, page, to, name="github main", type="hmac", window="300")
    assert answer.status_code == 201
    first = re.search('id="token">([^<]+)<', answer.text)
    again = send(person, page, to, name="github main", type="hmac")
    second = re.search('id="token">([^<]+)<', again.text)
    assert first
    assert second
    assert first[1] != second[1]
    assert second[1] not in person.get(page).text
    for values, text in (
        ({"name": "github main", "type": "api_key"}, "remove it first"),
        ({"name": "a/b", "type": "hmac"}, "no name of a key"),
        ({"name": "b", "type": "other"}, "must be one of"),
        ({"name": "b", "type": "basic", "username": "a:b", "password": "long-enough"}, "colon"),
        ({"name": "b", "type": "basic", "username": "a", "password": "short"}, "at least 10"),
    ):
        answer = send(person, page, to, **values)
        assert answer.status_code == 422, values
        assert text in answer.text
    assert send(person, page, f"{to}/github%20main/remove").status_code == 303
    assert "github main" not in person.get(page).text


def test_a_viewer_sees_names_and_changes_nothing(shared: Served, own: str) -> None:
    made = shared.client.post("/api/users", json={"email": "view@example.org"}).json()
    member = f"/api{own}/members/view@example.org"
    assert shared.client.put(member, json={"role": "viewer"}).status_code == 200
    with httpx.Client(base_url=shared.url) as viewer:
        assert viewer.get(made["path"]).status_code == 303
        page = viewer.get(f"{own}/credentials")
        assert page.status_code == 200
        assert "Set a credential" not in page.text
        assert viewer.get(f"{own}/keys").status_code == 403

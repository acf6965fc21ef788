"""Accounts, sessions, roles and tokens, over HTTP (`docs/access.md`)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from sqlalchemy import select, text

from holdfast.cli.main import cli
from holdfast.platform.store import access_tables as t
from holdfast.platform.store.accounts import FIRST_ACCOUNT
from support.platform import PROJECT, Served, Store

PASSWORD = "correct horse battery"


def add(served: Served, email: str, role: str | None = None, **asked: Any) -> dict[str, Any]:
    """A new account, and a member of the project with a role."""
    answer = served.client.post("/api/users", json={"email": email, **asked})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    if role is not None:
        path = f"/api/projects/demo/members/{made['data']['id']}"
        assert served.client.put(path, json={"role": role}).status_code == 200
    return made


@contextmanager
def browser(served: Served, path: str) -> Iterator[httpx.Client]:
    """Somebody who has followed a link."""
    with httpx.Client(base_url=served.url, timeout=30) as client:
        assert client.get(path).status_code == 303
        yield client


def send(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    """A form of our page."""
    found = re.search(r'name="form_token" value="(\w+)"', client.get("/").text)
    assert found
    return client.post(path, data={"form_token": found[1], **fields})


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_a_new_person_comes_by_a_link_and_sets_a_password(served: Served) -> None:
    made = add(served, "Jo@Example.org", name="Jo")
    assert made["data"]["email"] == "jo@example.org"
    with browser(served, made["path"]) as jo:
        assert "jo@example.org" in jo.get("/account").text
        short = send(jo, "/account/password", new="short", again="short")
        assert (short.status_code, "from 10 to" in short.text) == (422, True)
        differ = send(jo, "/account/password", new=PASSWORD, again="another password")
        assert "differ" in differ.text
        assert send(jo, "/account/password", new=PASSWORD, again=PASSWORD).status_code == 200
        wrong = send(jo, "/account/password", old="x", new="another one", again="another one")
        assert "not the old password" in wrong.text
    with httpx.Client(base_url=served.url, timeout=30) as client:
        for email, password in (("jo@example.org", "wrong"), ("no@example.org", PASSWORD)):
            refused = client.post("/login", data={"email": email, "password": password})
            assert (refused.status_code, "not right" in refused.text) == (401, True)
        good = client.post("/login", data={"email": "JO@example.org ", "password": PASSWORD})
        assert good.status_code == 303
        assert client.get("/account").status_code == 200
    stored = served.write(lambda tx: tx.connection.execute(select(t.users)).all())
    assert PASSWORD not in str(stored)
    assert "$argon2id$" in str(stored)


def test_a_new_password_ends_all_other_sessions(served: Served) -> None:
    made = add(served, "jo@example.org")
    again = served.client.post("/api/users/jo@example.org/links").json()
    with browser(served, made["path"]) as here, browser(served, again["path"]) as there:
        send(here, "/account/password", new=PASSWORD, again=PASSWORD)
        assert there.get("/").status_code == 303
        assert here.get("/").status_code == 200


def test_sessions_are_listed_and_ended(served: Served) -> None:
    made = add(served, "jo@example.org")
    again = served.client.post("/api/users/jo@example.org/links").json()
    with browser(served, made["path"]) as here, browser(served, again["path"]) as there:
        listed = here.get("/api/sessions").json()["data"]
        assert [item["current"] for item in listed].count(True) == 1
        assert {item["address"] for item in listed} == {"127.0.0.1"}
        other = next(item["id"] for item in listed if not item["current"])
        assert send(here, f"/account/sessions/{other}/end").status_code == 303
        assert there.get("/").status_code == 303
        assert len(here.get("/api/sessions").json()["data"]) == 1
    mine = served.client.get("/api/sessions").json()["data"]
    assert mine == [], "those of other accounts are not shown"


def test_a_disabled_account_is_out_at_once(served: Served) -> None:
    made = add(served, "jo@example.org", "editor")
    with browser(served, made["path"]) as jo:
        send(jo, "/account/password", new=PASSWORD, again=PASSWORD)
        page = send(jo, "/account/tokens", name="script", scope="read").text
        token = re.search(r"hf_[\w-]+", page)
        assert token
        assert served.client.get("/api/me", headers=bearer(token[0])).status_code == 200
        path = f"/api/users/{made['data']['id']}"
        assert served.client.patch(path, json={"disabled": True}).status_code == 200
        assert jo.get("/").status_code == 303
        assert served.client.get("/api/me", headers=bearer(token[0])).status_code == 401
        known = {"email": "jo@example.org", "password": PASSWORD}
        assert jo.post("/login", data=known).status_code == 401
        served.client.patch(path, json={"disabled": False})
        assert jo.post("/login", data=known).status_code == 303


def test_the_last_administrator_stays(served: Served) -> None:
    for change in ({"disabled": True}, {"administrator": False}):
        answer = served.client.patch(f"/api/users/{FIRST_ACCOUNT}", json=change)
        assert (answer.status_code, "last administrator" in answer.text) == (409, True)
    add(served, "sam@example.org", administrator=True)
    gone = served.client.patch(f"/api/users/{FIRST_ACCOUNT}", json={"administrator": False})
    assert gone.status_code == 200


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ({"email": "nobody"}, 422, "e-mail address"),
        ({"email": "a b@example.org"}, 422, "e-mail address"),
        ({"email": 1}, 422, "email must be text"),
        ({}, 422, "email must be text"),
        ([], 400, "JSON object"),
        ({"email": "x@example.org", "administrator": 1}, 422, "true or false"),
        ({"email": "x@example.org", "password": "short"}, 422, "from 10 to"),
        ({"email": "TAKEN@example.org"}, 409, "Another account"),
    ],
)
def test_bad_accounts_are_refused(shared: Served, asked: Any, status: int, words: str) -> None:
    shared.client.post("/api/users", json={"email": "taken@example.org"})
    answer = shared.client.post("/api/users", json=asked)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text


def test_a_token_is_shown_once_and_says_when_it_was_used(served: Served) -> None:
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    asked = {"name": "cli", "scopes": ["read", "deploy"], "expires_at": until}
    made = served.client.post("/api/tokens", json=asked).json()
    token = made["token"]
    assert token.startswith("hf_")
    listed = served.client.get("/api/tokens")
    assert token not in listed.text
    assert listed.json()["data"][0]["last_used_at"] is None
    assert served.client.get("/api/runs", headers=bearer(token)).status_code == 200
    served.write(lambda _: None)  # writes are done in order
    assert served.client.get("/api/tokens").json()["data"][0]["last_used_at"] is not None
    refused = served.client.get("/api/users", headers=bearer(token))
    assert (refused.status_code, "scope manage" in refused.text) == (403, True)
    key = made["data"]["id"]
    assert served.client.delete(f"/api/tokens/{key}").status_code == 204
    assert served.client.get("/api/runs", headers=bearer(token)).status_code == 401
    digests = served.write(lambda tx: tx.connection.execute(select(t.api_tokens)).all())
    assert token not in str(digests)


@pytest.mark.parametrize(
    "asked",
    [
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["everything"]},
        {"name": "x", "scopes": "read"},
        {"name": ""},
        {"name": "x" * 256},
        {"name": "x", "expires_at": "2020-01-01T00:00:00Z"},
        {"name": "x", "expires_at": "soon"},
        {"name": "x", "expires_at": 5},
        {"name": "x", "expires_at": "9999-01-01T00:00:00Z"},
    ],
)
def test_bad_tokens_are_refused(shared: Served, asked: dict[str, Any]) -> None:
    for path in ("/api/tokens", "/api/projects/demo/tokens"):
        assert shared.client.post(path, json=asked).status_code == 422


def test_a_token_cannot_make_itself_greater(served: Served) -> None:
    def token(path: str, **asked: Any) -> dict[str, str]:
        answer = served.client.post(path, json={"name": "t", **asked})
        assert answer.status_code == 201, answer.text
        return bearer(answer.json()["token"])

    every = ["read", "run", "deploy", "collections", "manage"]
    for limited in (
        token("/api/tokens", scopes=["manage"]),
        token("/api/tokens", scopes=every, project="demo"),
        token("/api/projects/demo/tokens", scopes=every, role="admin"),
    ):
        for path in ("/api/tokens", "/api/session_links", "/api/users"):
            asked = {"name": "n", "scopes": every, "email": "x@example.org"}
            answer = served.client.post(path, json=asked, headers=limited)
            assert answer.status_code == 403, (path, answer.text)
    narrow = token("/api/projects/demo/tokens", scopes=["manage"], role="admin")
    wide = {"name": "n", "scopes": ["deploy"], "role": "admin"}
    answer = served.client.post("/api/projects/demo/tokens", json=wide, headers=narrow)
    assert answer.status_code == 403


def test_a_token_of_a_project_deploys_it_and_nothing_else(served: Served) -> None:
    other = served.deploy({"name": "far", "workflows": []})["data"]["id"]
    asked = {"name": "ci", "scopes": ["deploy"]}
    made = served.client.post("/api/projects/demo/tokens", json=asked).json()
    ci = bearer(made["token"])
    document = served.client.get("/api/provision/demo").json()["data"]
    assert served.client.post("/api/provision", json=document, headers=ci).status_code == 201
    renamed = {**document, "description": "mine now"}
    refused = served.client.post("/api/provision", json=renamed, headers=ci)
    assert (refused.status_code, "settings" in refused.text) == (403, True)
    far = {"id": other, "name": "far"}
    assert served.client.post("/api/provision", json=far, headers=ci).status_code == 404
    new = {"name": "new", "workflows": []}
    assert served.client.post("/api/provision", json=new, headers=ci).status_code == 403
    assert served.client.get("/api/runs", headers=ci).status_code == 403
    key = made["data"]["id"]
    assert served.client.delete(f"/api/projects/far/tokens/{key}").status_code == 404
    assert served.client.delete(f"/api/projects/demo/tokens/{key}").status_code == 204
    assert served.client.post("/api/provision", json=document, headers=ci).status_code == 401


def test_lists_show_only_projects_of_the_visitor(served: Served) -> None:
    trigger = str(uuid.uuid4())
    job = str(uuid.uuid4())
    served.deploy({
        "name": "far",
        "workflows": [{
            "name": "Secret plans",
            "jobs": [{"id": job, "name": "J", "body": "fn(s => s)"}],
            "triggers": [{"id": trigger, "type": "webhook", "enabled": True}],
            "edges": [{"source_trigger_id": trigger, "target_job_id": job}],
        }],
    })  # fmt: skip
    near, far = served.post(), served.post(trigger=trigger)
    made = add(served, "jo@example.org", "viewer")
    with browser(served, made["path"]) as jo:
        for path in ("/", "/runs"):
            page = jo.get(path).text
            assert near[:8] in page
            assert far[:8] not in page
            assert "Secret plans" not in page
        assert [item["id"] for item in jo.get("/api/runs").json()["data"]] == [near]
        assert len(jo.get("/api/work_orders").json()["data"]) == 1
        assert jo.get("/api/queue").json()["available"] == 1
        assert jo.get("/api/log_lines").json()["data"] == []
        for path in (f"/runs/{far}", f"/api/runs/{far}", f"/api/runs/{far}/logs"):
            assert jo.get(path).status_code == 404
        project = served.client.get("/api/provision/far").json()["data"]["id"]
        assert jo.get("/api/runs", params={"project_id": project}).json()["data"] == []
        with served.worker() as worker, served.worker("second") as second:
            mine = {worker.take().id, second.take().id}
            assert mine == {near, far}
            shown = [
                run for w in jo.get("/api/workers").json()["data"] for run in w["active_runs"]
            ]
            assert shown == [near]


def test_members_have_one_owner(served: Served) -> None:
    jo, sam = add(served, "jo@example.org", "owner"), add(served, "sam@example.org", "admin")
    path = "/api/projects/demo/members"

    def roles() -> dict[str, str]:
        rows = served.client.get(path).json()["data"]
        return {row["email"] or row["name"]: row["role"] for row in rows}

    assert roles() == {
        "jo@example.org": "owner", "sam@example.org": "admin", "Administrator": "admin",
    }  # fmt: skip
    with browser(served, sam["path"]) as admin:
        own = send(admin, path.removeprefix("/api"), email="sam@example.org", role="owner")
        assert own.status_code == 403, "an admin does not make owners"
        down = send(admin, path.removeprefix("/api"), email="jo@example.org", role="viewer")
        assert down.status_code == 403, "nor unmakes them"
    assert served.client.delete(f"{path}/{jo['data']['id']}").status_code == 409
    down_api = served.client.put(f"{path}/jo@example.org", json={"role": "viewer"})
    assert down_api.status_code == 409
    assert served.client.put(f"{path}/sam@example.org", json={"role": "owner"}).status_code == 200
    assert roles()["jo@example.org"] == "admin"
    assert served.client.delete(f"{path}/jo@example.org").status_code == 204
    assert served.client.delete(f"{path}/jo@example.org").status_code == 404
    assert served.client.put(f"{path}/sam@example.org", json={"role": "king"}).status_code == 422


def test_who_makes_a_project_owns_it_and_runs_tell_who_started_them(served: Served) -> None:
    rows = served.client.get("/api/projects/demo/members").json()["data"]
    assert [(row["user_id"], row["role"]) for row in rows] == [(FIRST_ACCOUNT, "owner")]
    flow = served.client.get("/api/provision/demo").json()["data"]["workflows"][0]["id"]
    made = add(served, "jo@example.org", "editor")
    with browser(served, made["path"]) as jo:
        assert send(jo, f"/workflows/{flow}/run", input="{}").status_code == 303
    assert "jo@example.org" in served.client.get("/api/runs").text


def test_a_role_that_is_taken_away_ends_what_it_allowed(served: Served) -> None:
    run = served.post()
    made = add(served, "jo@example.org", "editor")
    with browser(served, made["path"]) as jo:
        assert jo.get(f"/runs/{run}").status_code == 200
        served.client.put("/api/projects/demo/members/jo@example.org", json={"role": "viewer"})
        assert send(jo, f"/runs/{run}/cancel").status_code == 403
        served.client.delete("/api/projects/demo/members/jo@example.org")
        assert jo.get(f"/runs/{run}").status_code == 404


def test_a_database_from_before_accounts_goes_on(data: Path) -> None:
    """Its sessions and projects belong to the first account."""
    from alembic import command
    from alembic.config import Config

    from holdfast.platform.store.schema import MIGRATIONS, migrate

    with Store(data) as store:
        store.deploy(PROJECT)
        engine = store.database.engine
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, "0005")
            connection.execute(text("INSERT INTO sessions VALUES ('d', 1, 9000000000000000)"))
            connection.commit()
        migrate(engine)
        sessions = store.read(lambda c: c.execute(select(t.sessions)).all())
        members = store.read(lambda c: c.execute(select(t.members)).all())
    assert [(row.digest, row.user_id) for row in sessions] == [("d", FIRST_ACCOUNT)]
    assert [(row.user_id, row.role) for row in members] == [(FIRST_ACCOUNT, "owner")]


def test_the_command_adds_lists_and_disables_people(served: Served) -> None:
    token = str(served.client.headers["authorization"]).removeprefix("Bearer ")

    def holdfast(*arguments: str) -> str:
        known = ["--url", served.url, "--token", token]
        done = CliRunner().invoke(cli, ["users", *arguments, *known], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    link = holdfast(
        "add", "jo@example.org", "--name", "Jo", "--project", "demo", "--role", "editor"
    )
    with browser(served, link.strip()) as jo:
        assert "Referrals" in jo.get("/").text
        assert "jo@example.org  Jo" in holdfast("list")
        holdfast("disable", "jo@example.org")
        assert "jo@example.org  Jo  disabled" in holdfast("list")
        assert jo.get("/").status_code == 303
        holdfast("enable", "jo@example.org")
        assert jo.get(holdfast("link", "jo@example.org").strip()).status_code == 303

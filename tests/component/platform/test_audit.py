"""The audit log, and the limits of logins and requests."""

from __future__ import annotations

import csv
import io
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast.platform.access.doors import DOORS, Way
from holdfast.platform.access.record import ASKS, WORDS
from support.platform import TRIGGER, Served


def log(served: Served, path: str = "/api/audit", **asked: Any) -> list[dict[str, Any]]:
    """Oldest first, without the looks at the log itself."""
    answer = served.client.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    events = answer.json()["data"][::-1]
    return [event for event in events if event["action"] != "audit log read"]


def told(event: dict[str, Any]) -> tuple[str, str]:
    return event["actor"], event["action"]


def test_every_change_has_words() -> None:
    changes = [
        name
        for name, door in DOORS.items()
        if door.way in {Way.API, Way.PAGE, Way.ASKS} and not name.startswith("GET ")
    ]
    assert set(changes) - set(WORDS) == ASKS
    assert set(WORDS) - set(DOORS) == set()


def test_changes_are_written_down_with_who_and_what(served: Served) -> None:
    served.client.post("/api/users", json={"email": "jo@example.org", "name": "Jo"})
    served.client.put("/api/projects/demo/members/jo@example.org", json={"role": "viewer"})
    secret = "this-is-the-secret-value"
    body = {"name": "hapi", "body": {"password": secret}}
    served.client.post("/api/projects/demo/credentials", json=body)
    webhook_key = {"type": "api_key", "secret": secret}
    served.client.put("/api/projects/demo/webhook_keys/partner", json=webhook_key)
    token = served.client.post("/api/tokens", json={"name": "cli", "scopes": ["read"]}).json()
    events = log(served)
    assert [event["action"] for event in events] == [
        "project deployed", "account added", "member set", "credential set", "webhook key set",
        "token made",
    ]  # fmt: skip
    assert {event["actor"] for event in events} == {"admin token"}
    assert {event["address"] for event in events} == {"127.0.0.1"}
    assert "+ job Fetch (Referrals)" in events[0]["details"]["changes"]
    assert events[1]["details"]["email"] == "jo@example.org"
    assert events[2]["details"]["role"] == "viewer"
    assert events[3]["details"]["name"] == "hapi"
    everything = json.dumps(events)
    assert secret not in everything
    assert token["token"] not in everything
    project = served.client.get("/api/provision/demo").json()["data"]["id"]
    assert {event["project_id"] for event in events if event["project_id"]} == {project}
    own = log(served, "/api/projects/demo/audit")
    assert [event["action"] for event in own] == [
        "project deployed", "member set", "credential set", "webhook key set",
    ]  # fmt: skip


def test_looks_at_documents_are_written_down(served: Served) -> None:
    run = served.post()
    related = served.client.get(f"/api/runs/{run}").json()["data"]["relationships"]
    clip = related["dataclip"]["data"]["id"]
    before = len(log(served))
    served.client.get(f"/api/dataclips/{clip}/body")
    with served.person() as person:
        person.get(f"/runs/{run}")
        person.get("/runs")
    new = log(served)[before:]
    assert [told(event) for event in new] == [
        ("admin token", "document read"),
        ("admin token", "login link made"),
        ("Administrator", "login"),
        ("Administrator", "run and its documents looked at"),
    ]
    assert new[0]["details"]["id"] == clip
    assert new[3]["kind"] == "session"


def test_what_was_refused_or_failed_is_told_apart(served: Served) -> None:
    made = served.client.post("/api/users", json={"email": "jo@example.org"}).json()
    served.client.put("/api/projects/demo/members/jo@example.org", json={"role": "viewer"})
    run = served.post()
    with httpx.Client(base_url=served.url, timeout=30) as jo:
        jo.get(made["path"])
        page = jo.get("/").text
        token = re.search(r'name="form_token" value="(\w+)"', page)
        assert token
        refused = jo.post(f"/runs/{run}/cancel", data={"form_token": token[1]})
        assert refused.status_code == 403
        assert jo.get("/audit").status_code == 403
        assert jo.get("/api/projects/demo/audit").status_code == 403
    served.client.post("/api/users", json={"email": "not an address"})
    events = log(served)
    assert (events[-1]["action"], events[-1]["status"]) == ("run cancelled", 403)


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_the_whole_log_can_be_taken_away(served: Served, kind: str) -> None:
    for number in range(12):
        name = "=1+1" if number == 5 else f"t{number}"
        served.client.post("/api/tokens", json={"name": name})
    answer = served.client.get("/api/audit", params={"format": kind, "limit": 1})
    assert answer.headers["content-disposition"] == f'attachment; filename="audit.{kind}"'
    if kind == "jsonl":
        events = [json.loads(line) for line in answer.text.splitlines()]
    else:
        events = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(events) == 14, "with the look at the log itself"
    assert events[-1]["action"] == "project deployed"
    for bad in ({"format": "xml"}, {"before": "²"}, {"before": "9" * 40}, {"limit": "0"}):
        assert served.client.get("/api/audit", params=bad).status_code == 422
    assert [told(e) for e in log(served, actor="nobody else")] == []


def test_the_page_shows_the_log(served: Served) -> None:
    hostile = "<script>alert(1)</script>"
    for number in range(60):
        served.client.post("/api/tokens", json={"name": f"{hostile}{number}"})
    with served.person() as person:
        page = person.get("/audit").text
        assert hostile not in page
        assert "&lt;script&gt;" in page
        older = re.search(r'href="(/audit\?before=\d+)"', page)
        assert older
        assert "project deployed" in person.get(older[1]).text
        assert "project deployed" in person.get("/projects/demo/audit").text
        assert person.get("/audit?actor=nobody+else").text.count("<tr>") == 0


def test_who_guesses_passwords_has_to_wait(served: Served) -> None:
    served.client.post(
        "/api/users", json={"email": "jo@example.org", "password": "correct horse battery"}
    )
    with httpx.Client(base_url=served.url, timeout=60) as client, ThreadPoolExecutor(11) as pool:
        wrong = {"email": "jo@example.org", "password": "guess"}
        guesses = [pool.submit(client.post, "/login", data=wrong) for _ in range(11)]
        codes = [guess.result().status_code for guess in guesses]
        assert sorted(codes) == [401] * 10 + [429], "also when they come at once"
        right = {**wrong, "password": "correct horse battery"}
        refused = client.post("/login", data=right)
        assert refused.status_code == 429, "also for the right password"
        assert 1 <= int(refused.headers["retry-after"]) <= 30
        assert "Too many tries" in refused.text
        tokens = [client.post("/login", data={"token": "guess"}).status_code for _ in range(11)]
        assert tokens == [401] * 10 + [429]
        links = [client.get(f"/session/guess{n}").status_code for n in range(11)]
        assert links == [401] * 10 + [429]
    failed = [event for event in log(served, limit=1000) if event["action"] == "login refused"]
    assert len(failed) == 30
    assert failed[0]["details"] == {"account": "jo@example.org"}
    assert failed[0]["status"] == 401


def test_a_password_in_the_wrong_field_is_not_written_down(served: Served) -> None:
    with httpx.Client(base_url=served.url) as client:
        client.post("/login", data={"email": "my-secret-password", "password": "x"})
    assert "my-secret-password" not in json.dumps(log(served)).lower()


def test_who_asks_too_often_has_to_wait(data: Path) -> None:
    with Served(data, requests_per_second=0.5) as served:
        served.deploy()
        made = served.client.post("/api/tokens", json={"name": "t"}).json()["token"]
        mine = {"authorization": f"Bearer {made}"}
        answers = [served.client.get("/api/runs", headers=mine) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 2
        assert answers[-1].json()["error"] == "too_many_requests"
        assert served.client.get("/api/runs").status_code == 200, "others are not concerned"
        assert served.client.post(f"/i/{TRIGGER}", json={}).status_code == 200
        assert served.client.get("/health_check").status_code == 200

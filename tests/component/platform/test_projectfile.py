"""A project's file on the page: taken from it, and laid over it, told first and then done."""

from __future__ import annotations

import html
import re
from typing import Any

import httpx
import pytest

from holdfast.platform.web import codechecks
from support.platform import Served


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks of the code start a process: one test has them."""
    monkeypatch.setattr(codechecks, "_SECONDS", 0.0)


def flows_of(served: Served, project: str = "demo") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = served.client.get(f"/api/provision/{project}").json()["data"][
        "workflows"
    ]
    return found


def file_of(served: Served) -> str:
    project = served.client.get("/api/provision/demo").json()["data"]["id"]
    shown = served.client.get(f"/projects/{project}/file").text
    text = html.unescape(shown.partition('name="text"')[2].partition(">\n")[2].split("<")[0])
    assert served.client.get(f"/projects/{project}/project.yaml").text.strip() == text.strip()
    return text


def send(client: httpx.Client, text: str, act: str = "look", seen: str = "") -> httpx.Response:
    return client.post("/import", data={"text": text, "act": act, "seen": seen})


def seen_of(answer: httpx.Response) -> str:
    found = re.search(r'name="seen" value="(\w+)"', answer.text)
    assert found
    return found[1]


@pytest.mark.usefixtures("unchecked")
def test_a_file_is_told_and_then_deployed(served: Served) -> None:
    text, before = file_of(served), flows_of(served)
    same = send(served.client, text)
    assert same.status_code == 200
    assert "Nothing: the project is as the file says." in same.text
    changed = text.replace("fn(s => s)", "fn(s => 7)", 1).replace("\n", "\r\n")
    told = send(served.client, changed)
    assert "~ job Fetch (Referrals): body" in html.unescape(told.text)
    assert flows_of(served) == before
    late = send(served.client, changed, "deploy", "another")
    assert late.status_code == 422
    assert 'id="late"' in late.text
    assert flows_of(served) == before
    assert send(served.client, changed, "deploy", seen_of(told)).is_redirect
    after = flows_of(served)[0]
    assert after["jobs"][0]["body"] == "fn(s => 7)"
    assert [job["id"] for job in after["jobs"]] == [job["id"] for job in before[0]["jobs"]]
    assert after["triggers"] == before[0]["triggers"]


@pytest.mark.usefixtures("unchecked")
def test_a_new_project_is_made_from_a_file(served: Served) -> None:
    text = file_of(served).replace("name: demo", "name: other", 1)
    told = send(served.client, text)
    assert "What the file would make" in told.text
    assert served.client.get("/api/provision/other").status_code == 404
    assert send(served.client, text, "deploy", seen_of(told)).is_redirect
    assert [flow["name"] for flow in flows_of(served, "other")] == ["Referrals"]
    key = served.client.get("/api/provision/other").json()["data"]["id"]
    page = send(served.client, f"id: {key}\n{text.replace('other', 'third')}").text
    assert "What the file would change" in page, "a file with the id of a project is of that one"
    assert "~ project third: name" in page


@pytest.mark.usefixtures("unchecked")
def test_nobody_learns_of_projects_of_others(served: Served) -> None:
    text, key = file_of(served), served.client.get("/api/provision/demo").json()["data"]["id"]
    asked = {"name": "reads", "project_id": "demo", "scopes": ["read"]}
    token = served.client.post("/api/tokens", json=asked).json()["token"]
    head = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=served.url, headers=head, timeout=30) as narrow:
        assert send(narrow, "{").status_code == 403, "it is not even read"
        mine = send(narrow, text)
        none = send(narrow, text.replace("name: demo", "name: none", 1))
        there = send(narrow, text.replace("name: demo", f"id: {key}\nname: none", 1))
    answers = (mine, there, none)
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    told = [re.sub(r"(?s)<textarea.*</textarea>", "", answer.text) for answer in answers]
    assert told[0].replace("“demo”", "“none”") == told[1] == told[2]
    assert "\nname: demo" in html.unescape(mine.text), "the text is kept"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("name: demo", "nam: demo"), "project.yaml:1: the project: 'nam' is not known"),
        (("body:", "body: {path: /etc/passwd}\n        x:"), "not in a file"),
        (("target_job: Fetch", "target_job: nobody"), "nobody"),
        (("@openfn/language-common@3.0.2", "no adaptor"), "no adaptor"),
    ],
)
def test_what_is_wrong_is_told_at_its_line(
    shared: Served, change: tuple[str, str], words: str
) -> None:
    text = file_of(shared)
    assert change[0] in text
    answer = send(shared.client, text.replace(*change, 1), "deploy")
    assert answer.status_code == 422
    assert words in html.unescape(answer.text)
    assert send(shared.client, "").status_code == 422
    assert "the most is 2,000,000" in send(shared.client, "#" * 2_000_001).text


def test_code_that_cannot_run_is_told(shared: Served) -> None:
    told = send(shared.client, file_of(shared).replace("fn(s => s)", "fn(s => ", 1))
    assert "Fetch cannot run, line 1" in html.unescape(told.text)

"""A first start on an empty platform, without a terminal: a project, a workflow, a run."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.platform.web.starters import STARTERS
from support.platform import Served


@pytest.fixture
def bare(data: Path) -> Iterator[Served]:
    """A platform on which nothing is deployed."""
    with Served(data) as server:
        yield server


def test_the_first_project_is_made_and_run_on_the_page(bare: Served) -> None:
    first = bare.client.get("/").text
    assert 'id="first-start"' in first
    assert "needs a letter" in bare.client.post("/projects", data={"project": "診療所"}).text
    made = bare.client.post("/projects", data={"project": "Mý  Clinic!", "starter": "fhir"})
    assert made.status_code == 303, made.text
    place = made.headers["location"].partition("#")[0]
    page = bare.client.get(place).text
    found = re.search(r'<textarea id="input".*?>(.*?)</textarea>', page, re.DOTALL)
    assert found
    sample = html.unescape(found[1])
    assert json.loads(sample) == json.loads(STARTERS["fhir"].sample)
    assert '<option value="fhir" selected>' in bare.client.get(f"{place}/edit").text
    run = bare.client.post(f"{place}/run", data={"input": sample})
    assert run.headers["location"].startswith("/runs/")
    again = bare.client.post("/projects", data={"project": "my-clinic"})
    assert again.status_code == 422
    assert "first-start" not in bare.client.get("/").text


@pytest.mark.parametrize("starter", [*STARTERS, "", "unknown"])
def test_each_example_can_be_made(shared: Served, starter: str) -> None:
    form = {"name": f"From {starter or 'nothing'}", "starter": starter}
    made = shared.client.post("/projects/demo/workflows", data=form)
    assert made.status_code == 303, made.text
    assert shared.client.get(made.headers["location"].partition("#")[0]).status_code == 200


def test_who_may_make_no_project_learns_of_none(shared: Served) -> None:
    asked = {"name": "l", "scopes": ["read", "run"]}
    token = shared.client.post("/api/tokens", json=asked).json()["token"]
    head = {"authorization": f"Bearer {token}"}
    answers = [
        shared.client.post("/projects", data={"project": name}, headers=head)
        for name in ("demo", "not-there")
    ]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert "demo already" not in answers[0].text


def test_a_project_without_a_name_is_refused(shared: Served) -> None:
    assert shared.client.post("/projects", data={"project": ""}).status_code == 422

"""What no database could hold is bad input at every door: 4xx with the place, never 503."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from support.platform import TRIGGER, Served

HALF = r'"a\ud800"'


@pytest.fixture(scope="module")
def served(shared: Served) -> Served:
    shared.deploy({"id": _id(shared), "collections": [{"name": "codes"}]})
    return shared


def _id(served: Served) -> str:
    return str(served.client.get("/api/provision/demo").json()["data"]["id"])


def _workflow(served: Served) -> str:
    data = served.client.get("/api/provision/demo").json()["data"]
    return str(data["workflows"][0]["id"])


@pytest.mark.parametrize("bad", [HALF, "1e999", '{"deep": [' + HALF + "]}"])
def test_a_webhook(served: Served, bad: str) -> None:
    answer = served.client.post(
        f"/i/{TRIGGER}", content=f'{{"x": {bad}}}', headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400
    assert "$.x" in answer.json()["message"]


def test_a_start_by_hand(served: Served) -> None:
    path = f"/api/workflows/{_workflow(served)}/runs"
    bad = (f'{{"input": {{"a": {HALF}}}}}', '{"input": {"a": 1e999}}', f'{{"job_id": {HALF}}}')
    for body in bad:
        answer = served.client.post(path, content=body)
        assert answer.status_code == 400, body
        assert "$." in answer.text
    assert served.client.post(path, json={"dataclip_id": "x\0"}).status_code in {400, 404, 422}


@pytest.mark.parametrize(
    "body",
    [
        f'{{"items": [{{"key": "k", "value": {HALF}}}]}}',
        f'{{"items": [{{"key": {HALF}, "value": "v"}}]}}',
        r'{"items": [{"key": "k\u0000", "value": "v"}]}',
        '{"items": [{"key": "%s", "value": "v"}]}' % ("k" * 2001),
        '{"items": [1e999]}',
    ],
)
def test_a_collection(served: Served, body: str) -> None:
    answer = served.client.post("/collections/codes", content=body)
    assert answer.status_code in {400, 422}, answer.text
    assert "$.items[0]" in answer.text or "key" in answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *[(f"/api/runs/x/logs?after={n}", 422) for n in ("²", 10**30, "9" * 5000, -1, "%00")],
        *[(f"/api/runs?page={n}", 422) for n in ("²", 10**30, "9" * 5000, 0, "1.0")],
        *[(f"/api/runs?page_size={n}", 422) for n in ("٣", 10**30, "9" * 5000, "")],
        *[(f"/collections/codes?limit={n}", 400) for n in ("²", 10**30, "9" * 5000, 0, -1)],
        ("/api/runs?inserted_after=10000-01-01", 422),
        ("/api/runs?inserted_after=²", 422),
        ("/api/runs/%00", 400),
        ("/collections/codes/%00", 400),
        ("/i/%00", 400),
    ],
)  # fmt: skip
def test_numbers_times_and_addresses(served: Served, path: str, status: int) -> None:
    answer = served.client.get(path)
    assert answer.status_code == (400 if "%00" in path else status), answer.text
    assert answer.json()


@pytest.mark.parametrize("cursor", ["²", str(10**30), "9" * 5000, "-1", "x", "", str(2**63)])
def test_cursors(served: Served, cursor: str) -> None:
    text = base64.b64encode(cursor.encode()).decode()
    answer = served.client.get("/collections/codes", params={"cursor": text})
    assert answer.status_code == 400
    assert answer.json() == {"error": "cursor is not one of ours"}


@pytest.mark.parametrize(
    "changes",
    [
        {"concurrency": 10**30},
        {"concurrency": 2**31},
        {"description": "a\ud800"},
        {"history_retention_period": 10**400},
        {"name": "demo\0"},
    ],
)
def test_a_project(served: Served, changes: dict[str, Any]) -> None:
    content = json.dumps({"id": _id(served), **changes})
    answer = served.client.post("/api/provision", content=content)
    assert answer.status_code == 422, answer.text
    assert next(iter(changes)) in answer.text or "name" in answer.text


def test_a_credential(served: Served) -> None:
    path = "/api/projects/demo/credentials"
    for content in (f'{{"name": {HALF}, "body": {{}}}}', r'{"name": "x\u0000", "body": {}}'):
        assert served.client.post(path, content=content).status_code == 400

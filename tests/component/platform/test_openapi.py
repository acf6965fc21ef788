"""The API describes itself: every route, and nothing that answers with a fault of ours."""

from __future__ import annotations

import json
import os
from random import Random
from typing import Any

import pytest
import yaml

from holdfast.platform.access.doors import DOORS
from support.platform import FETCH, Served

#: Requests of the fuzz; `make api-fuzz` sends more (`HOLDFAST_REQUESTS`).
REQUESTS = int(os.environ.get("HOLDFAST_REQUESTS", "300"))
ODD = [
    "", "0", "-1", "1", "²", "٣", "10" * 20, "9" * 5000, "x", "a/b", "..", "%", "%00", "\ud7ff",
    "é", "null", "[]", "{}", "'", '"', "*", "2026-01-01", "2026-13-01T00:00:00Z", "true", "\u202e",
]  # fmt: skip


@pytest.fixture(scope="module")
def described(shared: Served) -> dict[str, Any]:
    found: dict[str, Any] = shared.client.get("/api/openapi.json").json()
    return found


def test_every_route_is_described(described: dict[str, Any]) -> None:
    assert described["openapi"] == "3.1.0"
    here = {
        f"{method.upper()} {path}"
        for path, methods in described["paths"].items()
        for method in methods
    }
    doors = {
        name.replace(":path}", "}")
        for name in DOORS
        if name.split(" ")[1].startswith(("/api/", "/collections/", "/i/"))
        and not name.startswith("OPTIONS")
    }
    assert here == doors
    for methods in described["paths"].values():
        for operation in methods.values():
            assert operation["summary"][0].isupper() or operation["summary"][0] == "`"
            assert operation["responses"]["default"]
    names = [op["operationId"] for ops in described["paths"].values() for op in ops.values()]
    assert len(set(names)) == len(names)


def test_json_yaml_and_the_page_say_the_same(shared: Served, described: dict[str, Any]) -> None:
    assert yaml.safe_load(shared.client.get("/workflow-api.yaml").text) == described
    with shared.person() as person:
        page = person.get("/api-page").text
    for path in described["paths"]:
        assert f'data-path="{path}"' in page


def test_no_request_ends_in_a_fault(shared: Served, described: dict[str, Any]) -> None:
    """Random requests to every operation of the description: 5xx never."""
    seed = Random().getrandbits(32)
    random = Random(seed)
    project = shared.client.get("/api/provision/demo").json()["data"]
    known = [project["id"], "demo", project["workflows"][0]["id"], FETCH, "codes"]
    operations = [
        (method.upper(), path, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
        if path not in {"/api/sessions", "/api/sessions/{id}"} or method == "get"
    ]

    def text() -> str:
        return str(random.choice(random.choice([ODD, known])))

    def value(depth: int = 0) -> Any:
        kind = random.randrange(8 if depth < 3 else 5)
        if kind < 3:
            return text()
        if kind == 3:
            return random.choice([None, True, 0, -1, 10**30, 1.5, 2**31, 2**63])
        if kind == 4:
            return random.choice(["a\ud800", "\0", "x" * 300])
        if kind == 5:
            return [value(depth + 1) for _ in range(random.randrange(3))]
        names = [
            "id",
            "name",
            "key",
            "value",
            "items",
            "jobs",
            "workflows",
            "body",
            "input",
            text(),
        ]
        return {random.choice(names): value(depth + 1) for _ in range(random.randrange(4))}

    for _ in range(REQUESTS):
        method, path, operation = random.choice(operations)
        query: dict[str, str] = {}
        for parameter in operation["parameters"]:
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", text().replace("?", "") or "x")
            elif random.random() < 0.4:
                query[parameter["name"]] = text()
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        body: Any = value()
        if schema and random.random() < 0.7:
            body = {name: value() for name in schema["schema"].get("properties", {})}
        content = json.dumps(body).encode() if method != "GET" else b""
        if random.random() < 0.1:
            content = content[: random.randrange(len(content) + 1)]
        answer = shared.client.request(
            method, path, params=query, content=content,
            headers={"content-type": "application/json"},
        )  # fmt: skip
        assert answer.status_code < 500, (seed, method, path, query, content[:500], answer.text)
        if answer.status_code >= 400 and answer.url.path.startswith("/api/"):
            assert answer.json()["status"] == answer.status_code, (seed, method, path)

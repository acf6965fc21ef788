"""The API describes itself: every route."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from holdfast.platform.access.doors import DOORS
from support.platform import Served


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

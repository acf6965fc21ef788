"""The API describes itself: every route."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from holdfast.platform.access.doors import DOORS
from support.platform import Served

#: Parameters that are refused when they are odd.
_CHECKED = re.compile(r"page|page_size|limit|after|before|\w+_(after|before|ms|mb)")


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


def test_every_number_and_time_that_a_list_is_said_to_read_is_read(
    shared: Served, described: dict[str, Any]
) -> None:
    unread, asked = [], 0
    for path, methods in described["paths"].items():
        parameters = methods.get("get", {}).get("parameters", ())
        place = path.replace("{project_id}", "demo")
        for name in [item["name"] for item in parameters if item["in"] == "query"]:
            if "{" not in place and _CHECKED.fullmatch(name):
                query = {"q": "word", name: "odd"} if path.endswith("search") else {name: "odd"}
                asked += 1
                if shared.client.get(place, params=query).status_code not in {400, 422}:
                    unread.append(f"{path} {name}")
    assert unread == []
    assert asked > 100


def test_the_search_of_a_log_reads_no_filters_of_runs(described: dict[str, Any]) -> None:
    found = described["paths"]["/api/runs/{id}/logs/search"]["get"]["parameters"]
    assert [item["name"] for item in found] == ["id", "q", "after", "limit"]

"""Collections as the real adaptor calls them (`docs/spec/platform.md` 6.1, 6.2)."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from support.platform import PROJECT, Served


@pytest.fixture
def codes(served: Served) -> Served:
    project = {**PROJECT, "id": str(uuid.UUID(int=5)), "name": "coded",
               "workflows": [], "collections": [{"name": "codes"}]}  # fmt: skip
    served.deploy(project)
    return served


@pytest.fixture(scope="module")
def untouched(shared: Served) -> Served:
    project = {"name": "coded", "workflows": [], "collections": [{"name": "codes"}]}
    shared.deploy(project)
    return shared


def put(served: Served, **items: str) -> None:
    body = {"items": [{"key": key, "value": value} for key, value in items.items()]}
    answer = served.client.post("/collections/codes", json=body)
    assert answer.json() == {"upserted": len(items), "error": None}


def keys(served: Served, **parameters: Any) -> list[str]:
    answer = served.client.get("/collections/codes", params=parameters)
    assert answer.status_code == 200, answer.text
    return [item["key"] for item in answer.json()["items"]]


def test_items_are_put_read_and_deleted(codes: Served) -> None:
    one = codes.client.put("/collections/codes/k1", json={"value": '{"a":1}'})
    assert one.json() == {"upserted": 1, "error": None}
    item = codes.client.get("/collections/codes/k1").json()
    assert (item["key"], item["value"]) == ("k1", '{"a":1}')
    assert item["created"].endswith("Z")
    assert codes.client.get("/collections/codes/none").status_code == 204
    gone = codes.client.delete("/collections/codes/k1")
    assert gone.json() == {"key": "k1", "deleted": 1, "error": None}
    again = codes.client.delete("/collections/codes/k1")
    assert (again.status_code, again.json()["error"]) == (200, "Item Not Found")


def test_a_key_may_have_slashes(codes: Served) -> None:
    codes.client.put("/collections/codes/a/b/c", json={"value": "1"})
    assert codes.client.get("/collections/codes/a/b/c").json()["key"] == "a/b/c"


def test_an_item_that_is_replaced_keeps_its_place(codes: Served) -> None:
    put(codes, a="1", b="2")
    put(codes, a="3", c="4")
    assert keys(codes) == ["a", "b", "c"]
    assert codes.client.get("/collections/codes/a").json()["value"] == "3"


def test_pages_follow_the_cursor(codes: Served) -> None:
    put(codes, **{f"k{n:04}": str(n) for n in range(1234)})
    seen, cursor, pages = [], None, 0
    while True:
        parameters: dict[str, Any] = {"limit": 600} | ({"cursor": cursor} if cursor else {})
        answer = codes.client.get("/collections/codes", params=parameters).json()
        seen += [item["key"] for item in answer["items"]]
        pages += 1
        if (cursor := answer["cursor"]) is None:
            break
        assert isinstance(cursor, str)
    assert seen == [f"k{n:04}" for n in range(1234)]
    assert pages == 3


def test_the_last_full_page_has_no_cursor(codes: Served) -> None:
    put(codes, a="1", b="2")
    assert codes.client.get("/collections/codes?limit=2").json()["cursor"] is None
    assert codes.client.get("/collections/codes?limit=1").json()["cursor"] is not None
    assert codes.client.get("/collections/codes?key=zzz").json() == {"items": [], "cursor": None}


def test_patterns_mean_what_they_say(codes: Served) -> None:
    put(codes, ab="1", a_b="2", axb="3", **{"a%b": "4", "a\\b": "5"})
    assert keys(codes, key="a*b") == ["ab", "a_b", "axb", "a%b", "a\\b"]
    assert keys(codes, key="a_b") == ["a_b"]
    assert keys(codes, key="a_*") == ["a_b"]
    assert keys(codes, key="a%*") == ["a%b"]
    assert keys(codes, key="*") == keys(codes)


def test_patterns_tell_capitals_from_small_letters(codes: Served) -> None:
    put(codes, ABC1="1", abc2="2", AbC3="3")
    assert keys(codes, key="ABC*") == ["ABC1"]
    assert codes.client.delete("/collections/codes?key=ABC*").status_code == 200
    assert keys(codes) == ["abc2", "AbC3"]


def test_times_filter_lists_and_deletions(codes: Served) -> None:
    put(codes, a="1", b="2")
    assert keys(codes, created_before="2000-01-01T00:00:00Z") == []
    assert keys(codes, created_after="2000-01-01") == ["a", "b"]
    assert keys(codes, updatedAfter="2999-01-01T00:00:00Z") == []
    none = codes.client.delete(
        "/collections/codes", params={"key": "*", "created_before": "2000-01-01T00:00:00Z"}
    )
    assert none.json()["deleted"] == 0, "Lightning deletes everything here"
    some = codes.client.delete("/collections/codes", params={"key": "a*"})
    assert some.json() == {"key": "a*", "deleted": 1, "error": None}
    assert keys(codes) == ["b"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/collections/codes?limit=x", None, 400),
        ("GET", "/collections/codes?cursor=%%", None, 400),
        ("GET", "/collections/codes?surprise=1", None, 400),
        ("GET", "/collections/codes?created_after=then", None, 400),
        ("GET", "/collections/nowhere", None, 404),
        ("PUT", "/collections/codes/k", {}, 422),
        ("PUT", "/collections/codes/k", {"value": 3}, 422),
        ("POST", "/collections/codes", {}, 422),
        ("POST", "/collections/codes", {"items": [{"key": "k"}]}, 422),
        ("POST", "/collections/codes", {"items": [{"key": "k", "value": "1"}] * 2}, 422),
        ("PUT", "/collections/codes/k", {"value": "x" * 1_000_001}, 422),
        ("PUT", "/collections/codes", {"value": "1"}, 405),
    ],
)
def test_bad_requests_are_refused(
    untouched: Served, method: str, path: str, body: Any, status: int
) -> None:
    answer = untouched.client.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    assert keys(untouched) == []


def test_versions_and_projects(codes: Served) -> None:
    second = {"id": str(uuid.UUID(int=6)), "name": "coded-too",
              "collections": [{"name": "codes"}], "workflows": []}  # fmt: skip
    put(codes, a="1")
    codes.deploy(second)
    ambiguous = codes.client.get("/collections/codes")
    assert ambiguous.status_code == 409
    assert "project_id" in ambiguous.json()["error"]
    first = codes.client.get("/collections/codes", params={"project_id": str(uuid.UUID(int=5))})
    assert [item["key"] for item in first.json()["items"]] == ["a"]
    path = f"/collections/{uuid.UUID(int=6)}/codes"
    assert codes.client.get(path, headers={"x-api-version": "2"}).json()["items"] == []
    assert codes.client.get(path, headers={"x-api-version": "3"}).status_code == 400


def test_a_run_token_opens_its_own_project_while_the_run_lives(served: Served) -> None:
    """The worker hands its run token to the adaptor (`docs/spec/platform.md` 4.2)."""
    project = served.client.get("/api/provision/demo").json()["data"]
    served.deploy({**project, "collections": [{"name": "codes"}]})
    served.deploy({"name": "other", "workflows": [], "collections": [{"name": "secret"}]})
    served.post()
    with served.worker() as worker, httpx.Client(base_url=served.url) as client:
        talk = worker.take()
        headers = {"authorization": f"Bearer {talk.run['token']}"}
        put_one = client.put("/collections/codes/k", json={"value": "1"}, headers=headers)
        assert put_one.json() == {"upserted": 1, "error": None}
        assert client.get("/collections/secret", headers=headers).status_code == 404
        assert client.get("/collections/codes").status_code == 401
        wrong = {"authorization": "Bearer nonsense"}
        assert client.get("/collections/codes", headers=wrong).status_code == 401
        elsewhere = client.get(f"/collections/codes?project_id={uuid.uuid4()}", headers=headers)
        assert elsewhere.status_code == 403
        talk.complete()
        assert client.get("/collections/codes", headers=headers).status_code == 401

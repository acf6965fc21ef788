"""Lists of runs and work orders: runs under their work order, and views that people save."""

from __future__ import annotations

import html
import re

import pytest

from holdfast.platform.chores import indexer
from holdfast.platform.store import runs, views
from holdfast.platform.web import data
from support.platform import Served


def order_of(served: Served, run: str) -> str:
    found = served.client.get(f"/api/runs/{run}").json()["data"]["relationships"]
    return str(found["work_order"]["data"]["id"])


def runs_of(served: Served, path: str) -> dict[str, list[str]]:
    """Each work order of the page, and the runs under it."""
    answer = served.client.get(path)
    assert answer.status_code == 200, answer.text
    parts = re.split(r'aria-labelledby="order-([0-9a-f-]+)"', answer.text)
    return {
        key: re.findall(r'class="whole" href="/runs/([0-9a-f-]+)"', text)
        for key, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def test_work_orders_are_listed_with_their_runs(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer, "_AFTER_SECONDS", -10)
    first, other = served.post({"n": 1}), served.post({"n": 2})
    wrong = {"reason": "fail", "error_type": "TypeError", "error_message": "TypeError: no <b>"}
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        talk.log("a needle in the log")
        talk.complete(**wrong)
    served.call(indexer.index)
    again = served.client.post(f"/api/runs/{first}/retry", json={}).json()["run_id"]
    one, two = order_of(served, first), order_of(served, other)
    assert runs_of(served, "/work_orders") == {two: [other], one: [first, again]}
    assert "TypeError: no &lt;b&gt;" in served.client.get("/work_orders").text
    assert runs_of(served, "/work_orders?error_type=TypeError") == {one: [first, again]}
    assert runs_of(served, "/work_orders?state=failed") == {}
    assert runs_of(served, f"/work_orders?q={two[:8]}") == {two: [other]}
    assert runs_of(served, "/work_orders?q=needle+log") == {one: [first, again]}
    assert runs_of(served, "/work_orders?q=needle+log&state=failed") == {}
    assert served.client.get("/work_orders?state=nonsense").status_code == 422
    assert re.findall(r">Run (\d+) ", served.client.get("/work_orders").text) == ["1", "1", "2"]
    monkeypatch.setattr(runs, "_RUNS_OF_EACH", 1)
    text = served.client.get("/work_orders").text
    assert re.findall(r">Run (\d+) ", text) == ["1", "2"]
    assert "1 earlier run<" in text


def test_a_search_shows_each_work_order_once(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer, "_AFTER_SECONDS", -10)
    monkeypatch.setattr(data, "PAGE", 1)
    one, two = served.post({"n": 1}), served.post({"n": 2})
    with served.worker() as worker:
        for number in range(3):
            talk = worker.take()
            talk.start()
            talk.log("a needle")
            talk.complete(reason="fail")
            served.call(indexer.index)
            if number == 1:
                assert served.client.post(f"/api/runs/{one}/retry", json={}).is_success
    pages, path = list[list[str]](), "/work_orders?q=needle"
    while path:
        pages.append([*runs_of(served, path)])
        older = re.search(r'href="([^"]*after=\d+[^"]*)"', served.client.get(path).text)
        path = html.unescape(older[1]) if older else ""
        path = f"/work_orders{path}" if path.startswith("?") else path
    assert [page for page in pages if page] == [[order_of(served, one)], [order_of(served, two)]]


def save(served: Served, name: str, path: str = "/runs", query: str = "state=failed") -> str:
    asked = {"name": name, "path": path, "query": query}
    answer = served.client.post("/views", data=asked)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def links(served: Served, path: str = "/runs") -> dict[str, str]:
    """Names of the reader's views, and where they lead."""
    found = re.findall(r'class="view" href="([^"]*)"[^>]*>([^<]*)<', served.client.get(path).text)
    return {name: where.replace("&amp;", "&") for where, name in found}


def key_of(served: Served, where: str) -> str:
    found = re.search(r"/views/([0-9a-f-]+)/rename", served.client.get(where).text)
    assert found
    return found[1]


def test_a_view_is_saved_renamed_and_removed(served: Served) -> None:
    where = save(served, "Bad ones", query="x=1&state=failed&min_duration_ms=5&after=9")
    assert where == "/runs?state=failed&min_duration_ms=5"
    save(served, "Orders", "/work_orders", "")
    assert links(served) == {"Bad ones": where, "Orders": "/work_orders"}
    assert save(served, "Bad ones", query="state=lost") == "/runs?state=lost"
    assert links(served, "/work_orders")["Bad ones"] == "/runs?state=lost"
    key = key_of(served, "/runs?state=lost")
    taken = served.client.post(f"/views/{key}/rename", data={"name": "Orders"})
    assert taken.status_code == 422
    assert links(served) == {"Bad ones": "/runs?state=lost", "Orders": "/work_orders"}
    renamed = served.client.post(f"/views/{key}/rename", data={"name": "Lost"})
    assert renamed.headers["location"] == "/runs?state=lost"
    assert links(served) == {"Lost": "/runs?state=lost", "Orders": "/work_orders"}
    assert served.client.post(f"/views/{key}/remove").status_code == 303
    assert links(served) == {"Orders": "/work_orders"}
    assert served.client.post(f"/views/{key}/remove").status_code == 404
    assert served.client.post(f"/views/{key}/rename", data={"name": "x"}).status_code == 404


def test_views_are_their_owners_alone(served: Served) -> None:
    save(served, "Mine")
    key = key_of(served, "/runs?state=failed")
    made = served.client.post("/api/users", json={"email": "jo@example.org"}).json()["data"]
    assert served.write(lambda tx: views.views_of(tx.connection, made["id"])) == []
    assert served.write(lambda tx: views.remove_view(tx, made["id"], key)) is None
    assert served.write(lambda tx: views.rename_view(tx, made["id"], key, "His")) is None
    assert links(served) == {"Mine": "/runs?state=failed"}


@pytest.mark.parametrize(
    "asked",
    [{"name": ""}, {"name": "x" * 101}, {"name": "a\nb"}, {"path": "/users"},
     {"path": "https://elsewhere.example.org"}, {"query": f"q={'x' * 2001}"}],
)  # fmt: skip
def test_what_is_no_view_is_refused(shared: Served, asked: dict[str, str]) -> None:
    answer = shared.client.post("/views", data={"name": "n", "path": "/runs", "query": ""} | asked)
    assert answer.status_code == 422
    assert links(shared) == {}


def test_a_person_has_so_many_views_at_most(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MOST", 2)
    save(served, "a")
    save(served, "b")
    asked = {"name": "c", "path": "/runs", "query": ""}
    assert "Remove one first" in served.client.post("/views", data=asked).text
    save(served, "b", query="state=lost")

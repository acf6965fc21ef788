"""Lists of the API: chosen by values and times, a page at a time (`docs/spec/platform.md` 7.1)."""

from __future__ import annotations

from typing import Any

import pytest

from support.platform import FETCH, STORE, Served


def listed(served: Served, path: str, **asked: Any) -> dict[str, Any]:
    answer = served.client.get(f"/api/{path}", params=asked)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def ids(body: dict[str, Any]) -> list[str]:
    return [item["id"] for item in body["data"]]


def told(body: dict[str, Any]) -> list[str]:
    return [item["attributes"]["message"] for item in body["data"]]


def attribute(served: Served, run_id: str, name: str) -> str:
    return str(served.run(run_id)[name])


def test_a_list_comes_in_pages_with_links_to_the_others(served: Served) -> None:
    made = [served.post({"n": number}) for number in range(5)]
    newest_first = made[::-1]
    found: list[str] = []
    body = listed(served, "runs", page_size=2)
    assert body["meta"] == {
        "total_entries": 5, "total_pages": 3, "page_number": 1, "page_size": 2,
    }  # fmt: skip
    assert body["links"]["prev"] is None
    while True:
        found += ids(body)
        if body["links"]["next"] is None:
            break
        body = served.client.get(body["links"]["next"]).json()
    assert found == newest_first
    assert ids(listed(served, "runs", page=4, page_size=2)) == []


def test_an_empty_list_has_one_page(served: Served) -> None:
    body = listed(served, "runs", project_id="nobody")
    assert (body["data"], body["meta"]["total_entries"], body["meta"]["total_pages"]) == ([], 0, 1)


def test_runs_and_work_orders_are_chosen_by_value_and_time(served: Served) -> None:
    first, second = served.post(), served.post()
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        talk.complete()
    assert talk.id == first
    assert ids(listed(served, "runs", state="available")) == [second]
    assert ids(listed(served, "runs", state="success")) == [first]
    order = served.client.get(f"/api/runs/{first}").json()["data"]["relationships"]["work_order"]
    assert ids(listed(served, "runs", work_order_id=order["data"]["id"])) == [first]
    assert ids(listed(served, "work_orders", state="success")) == [order["data"]["id"]]
    made = attribute(served, second, "inserted_at")
    assert ids(listed(served, "runs", inserted_after=made)) == [second]
    assert ids(listed(served, "runs", inserted_before=made)) == [second, first]
    heard = attribute(served, first, "last_event_at")
    assert ids(listed(served, "runs", updated_after=heard)) == [first]


@pytest.mark.parametrize("what", ["runs", "work_orders"])
def test_lists_of_a_project_hold_its_own_rows_only(what: str, served: Served) -> None:
    run_id = served.post()
    related = served.client.get(f"/api/runs/{run_id}").json()["data"]["relationships"]
    project = related["project"]["data"]["id"]
    assert len(ids(listed(served, f"projects/{project}/{what}"))) == 1
    assert ids(listed(served, f"projects/another/{what}")) == []
    assert ids(listed(served, f"projects/another/{what}", project_id=project)) == []


def test_log_lines_are_chosen_by_all_that_they_belong_to(served: Served) -> None:
    talks = []
    for text in ("one", "two"):
        served.post()
        with served.worker() as worker:
            talk = worker.take()
            talk.start()
            step = talk.start_step(FETCH)
            talk.log(text, step_id=step)
            talk.log(f"{text} of the runtime", source="R/T", level="debug")
            talks.append((talk.id, step))
    (run_id, step), _ = talks
    run = served.client.get(f"/api/runs/{run_id}").json()["data"]["relationships"]
    assert told(listed(served, "log_lines", run_id=run_id)) == ["one", "one of the runtime"]
    assert told(listed(served, "log_lines", step_id=step)) == ["one"]
    assert told(listed(served, "log_lines", job_id=FETCH)) == ["one", "two"]
    assert told(listed(served, "log_lines", job_id=STORE)) == []
    order = run["work_order"]["data"]["id"]
    assert len(told(listed(served, "log_lines", work_order_id=order))) == 2
    project = run["project"]["data"]["id"]
    chosen = {"project_id": project, "level": "debug", "job_id": FETCH}
    assert told(listed(served, "log_lines", **chosen)) == []
    assert len(told(listed(served, "log_lines", project_id=project, level="debug"))) == 2


@pytest.mark.parametrize(
    "asked",
    [{"page": "0"}, {"page_size": "many"}, {"inserted_after": "yesterday"}, {"page": "१"}],
)
def test_a_filter_that_means_nothing_is_refused_by_name(
    shared: Served, asked: dict[str, str]
) -> None:
    answer = shared.client.get("/api/runs", params=asked)
    assert answer.status_code == 422
    assert next(iter(asked)) in answer.json()["error"]

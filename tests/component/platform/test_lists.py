"""Lists of the API: chosen by values and times, a page at a time (`docs/spec/platform.md` 7.1)."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.platform.store import history
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


def test_runs_are_chosen_by_how_they_ended_and_what_they_took(served: Served) -> None:
    ran, _ = served.post(), served.post()
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        step = talk.start_step(FETCH)
        memory = {"job": 30_000_000, "system": 1}
        talk.ok("step:complete", talk.step_end(step, mem=memory))
        talk.complete(reason="fail", error_type="AdaptorError", error_message="no")
    told = served.run(ran)
    assert (told["peak_memory_bytes"], told["duration_ms"]) == (30_000_000, 3)
    for asked in (
        {"state": "failed"}, {"state": "unsuccessful"}, {"state": "success,failed"},
        {"error_type": "AdaptorError"}, {"worker": "frames"}, {"min_duration_ms": 3},
        {"max_duration_ms": 3}, {"min_memory_mb": 30}, {"max_memory_mb": 30, "min_memory_mb": 29},
    ):  # fmt: skip
        assert ids(listed(served, "runs", **asked)) == [ran], asked
        if "frames" not in asked.values():
            assert len(ids(listed(served, "work_orders", **asked))) == 1, asked
    for none in ({"error_type": "Other"}, {"min_duration_ms": 4}, {"min_memory_mb": 31}):
        assert (
            ids(listed(served, "runs", **none)) == ids(listed(served, "work_orders", **none)) == []
        )


def test_links_lead_through_a_history_that_is_not_counted_to_its_end(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "WINDOW", 4)
    monkeypatch.setattr(history, "FEW", -1)  # as where every filter is passed by many
    made = [served.post({"n": number}) for number in range(9)]
    body = listed(served, "runs", page_size=3)
    assert (body["meta"]["total_entries"], body["meta"]["exact"]) == (4, False)
    oldest = served.client.get(body["links"]["last"]).json()
    assert ids(oldest) == made[2::-1]
    found = ids(body)
    while body["links"]["next"] is not None:
        body = served.client.get(body["links"]["next"]).json()
        found += ids(body)
    assert found == made[::-1]
    while body["links"]["prev"] is not None:
        body = served.client.get(body["links"]["prev"]).json()
    assert ids(body)[0] == made[-1]
    assert served.client.get("/api/runs", params={"page": 50}).status_code == 422
    with served.person() as person:
        page = person.get("/runs", params={"min_duration_ms": "9"}).text
        assert "Search older runs" in page
        assert person.get("/runs", params={"min_duration_ms": "x"}).status_code == 422


@pytest.mark.parametrize(
    "asked",
    [{"state": "fine"}, {"min_duration_ms": "-1"}, {"max_memory_mb": "1.5"}, {"after": "x"},
     {"before": "1"}, {"after": "1.a", "before": "2.b"}, {"worker": "w" * 300},
     {"min_memory_mb": "2", "max_memory_mb": "1"}, {"inserted_before": "later"}],
)  # fmt: skip
@pytest.mark.parametrize("what", ["runs", "work_orders"])
def test_a_bad_filter_of_a_history_is_a_problem_that_names_it(
    shared: Served, what: str, asked: dict[str, str]
) -> None:
    answer = shared.client.get(f"/api/{what}", params=asked)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert next(iter(asked)) in answer.json()["detail"]


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

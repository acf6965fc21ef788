"""All runs that filters choose, retried or cancelled from the page: asked, followed, stopped."""

from __future__ import annotations

import httpx
import pytest

from holdfast.platform.api import bulk
from holdfast.platform.start.bulk import work_off
from holdfast.platform.web.words import FILTER_WORDS
from support.platform import Served


def project_id(served: Served) -> str:
    return str(served.client.get("/api/projects").json()["data"][0]["id"])


def begin(served: Served, **form: str) -> httpx.Response:
    path = f"/projects/{project_id(served)}/actions"
    return served.client.post(path, data=form, follow_redirects=False)


def test_all_that_match_are_cancelled_after_a_question(served: Served) -> None:
    runs = [served.post() for _ in range(3)]
    listed = served.client.get("/runs?state=available").text
    assert 'name="state" value="available"' in listed
    asked = {"act": "cancel", "project_id": project_id(served), "state": "available"}
    question = served.client.get("/actions/new", params=asked).text
    assert "3 runs of demo match." in question
    assert "State: Waiting" in question
    assert {served.run(run)["state"] for run in runs} == {"available"}
    place = begin(served, act="cancel", state="available").headers["location"]
    served.call(work_off)
    page = served.client.get(place).text
    assert "Done · 3 cancelled, or asked to end · 3 in all" in page
    assert "hx-trigger" not in page, "it asks no more once it is over"
    assert {served.run(run)["state"] for run in runs} == {"cancelled"}
    assert place in served.client.get("/actions").text


def test_an_action_with_any_filter_has_its_page(shared: Served) -> None:
    """The API takes more filters than the list of runs has fields for."""
    given = {"inserted_after": "2026-01-01", "updated_before": "2027-01-01", "min_memory_mb": 1}
    given |= {"max_memory_mb": 3, "max_duration_ms": 5, "work_order_id": "w", "state": "failed"}
    asked = {"action": "retry", "filters": given}
    made = shared.client.post(f"/api/projects/{project_id(shared)}/bulk_actions", json=asked)
    assert made.is_success, made.text
    place = f"/projects/{project_id(shared)}/actions/{made.json()['data']['id']}"
    assert "At most milliseconds" in shared.client.get(place).text
    assert set(FILTER_WORDS) == bulk._CHOOSE - {"state"}


def test_a_stopped_action_does_no_more(served: Served) -> None:
    run = served.post()
    place = begin(served, act="cancel").headers["location"]
    assert "hx-trigger" in served.client.get(place).text
    served.client.post(f"{place}/stop")
    served.call(work_off)
    assert "Stopped · 0 cancelled" in served.client.get(place).text
    assert served.run(run)["state"] == "available"


@pytest.mark.parametrize(
    "form",
    [
        {"act": "remove"},
        {},
        {"act": "retry", "state": "odd"},
        {"act": "retry", "min_memory_mb": "-1"},
    ],
)
def test_what_cannot_be_done_is_refused(shared: Served, form: dict[str, str]) -> None:
    assert begin(shared, **form).status_code == 422
    asked = {**form, "project_id": project_id(shared)}
    assert shared.client.get("/actions/new", params=asked).status_code in {404, 422}


def test_who_may_only_look_is_asked_nothing(shared: Served) -> None:
    token = shared.client.post("/api/tokens", json={"name": "l", "scopes": ["read"]}).json()[
        "token"
    ]
    head = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=shared.url, headers=head, timeout=30) as narrow:
        asked = {"act": "cancel", "project_id": project_id(shared)}
        assert narrow.get("/actions/new", params=asked).status_code == 404
        assert "All that match" not in narrow.get("/runs").text
        path = f"/projects/{project_id(shared)}/actions"
        assert narrow.post(path, data={"act": "cancel"}).status_code == 403
        missing = f"{path}/{'0' * 36}"
        assert shared.client.get(missing).status_code == 404
        assert shared.client.post(f"{missing}/stop").status_code == 404

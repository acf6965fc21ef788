"""Retries and cancellations of many runs: chosen by filters, step by step, never twice."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from holdfast.platform.access.policy import Kind, Scope, Subject
from holdfast.platform.service import Chore
from holdfast.platform.settings import Settings
from holdfast.platform.start import bulk as chore
from holdfast.platform.start.actions import retry
from holdfast.platform.store import bulk
from holdfast.platform.store import tables as t
from holdfast.platform.store.accounts import FIRST_ACCOUNT
from holdfast.platform.store.api_tokens import add_token, revoke
from holdfast.platform.store.database import Transaction
from holdfast.platform.store.history import Count
from support.platform import Served

PATH = "/api/projects/demo/bulk_actions"


@pytest.fixture
def chores() -> Iterable[Chore]:
    return ()


@pytest.fixture(autouse=True)
def three_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "RUNS_OF_A_STEP", 3)


def failed(served: Served, number: int) -> None:
    """Runs that have failed."""
    for _ in range(number):
        served.post()

    def work(tx: Transaction) -> None:
        end = {"state": "failed", "error_type": "E", "finished_at": tx.now}
        tx.connection.execute(update(t.runs).values(**end))
        tx.connection.execute(update(t.work_orders).values(state="failed"))

    served.write(work)


def begin(served: Served, action: str, **filters: Any) -> dict[str, Any]:
    answer = served.client.post(PATH, json={"action": action, "filters": filters})
    assert answer.status_code == 202, answer.text
    return dict(answer.json()["data"])


def progress(served: Served, key: str) -> dict[str, Any]:
    return dict(served.client.get(f"{PATH}/{key}").json()["data"])


def listed(served: Served, **asked: Any) -> list[dict[str, Any]]:
    asked = {"page_size": 100, **asked}
    return list(served.client.get("/api/runs", params=asked).json()["data"])


def orders(runs: list[dict[str, Any]]) -> list[str]:
    return sorted(run["relationships"]["work_order"]["data"]["id"] for run in runs)


def test_each_failed_run_is_retried_once_and_what_waits_is_cancelled(served: Served) -> None:
    failed(served, 7)
    tried = served.client.post(PATH, json={"action": "retry", "dry_run": True}).json()
    assert tried == {"data": {"total": 7, "total_exact": True}, "dry_run": True}
    made = begin(served, "retry", error_type="E")
    assert (made["state"], made["total"], made["done"]) == ("running", 7, 0)
    served.call(chore.work_off)
    told = progress(served, made["id"])
    assert (told["state"], told["done"], told["skipped"]) == ("done", 7, 0)
    assert orders(listed(served, state="available")) == orders(listed(served, state="failed"))
    again = begin(served, "retry")
    served.call(chore.work_off)
    told = progress(served, again["id"])
    assert (told["done"], told["skipped"]) == (0, 7), "each has a newer run"
    assert "newer run" in told["problem"]
    begin(served, "cancel")
    served.call(chore.work_off)
    assert len(listed(served, state="cancelled")) == 7
    assert [item["action"] for item in served.client.get(PATH).json()["data"]] == [
        "cancel", "retry", "retry",
    ]  # fmt: skip


def test_an_action_goes_on_where_it_was_after_a_fault(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed(served, 8)
    key = begin(served, "retry")["id"]
    assert served.call(lambda platform: chore._step(platform, key))
    assert progress(served, key)["done"] == 3

    def fault(*_: Any, **__: Any) -> None:
        message = "power cut"
        raise RuntimeError(message)

    # the second run of the next step fails: nothing of that step counts
    calls = list[int]()

    def once(*given: Any, **named: Any) -> Any:
        calls.append(1)
        return fault() if len(calls) == 2 else retry(*given, **named)

    with monkeypatch.context() as patched:
        patched.setattr(chore, "retry", once)
        with pytest.raises(RuntimeError):
            served.call(lambda platform: chore._step(platform, key))
    assert progress(served, key)["done"] == 3
    assert len(listed(served, state="available")) == 3
    served.call(chore.work_off)
    assert progress(served, key)["done"] == 8
    assert orders(listed(served, state="available")) == orders(listed(served, state="failed"))


def test_a_step_that_two_platforms_take_is_done_once(served: Served) -> None:
    failed(served, 3)
    key = begin(served, "retry")["id"]
    row = served.write(lambda tx: bulk.find(tx.connection, key))
    assert row is not None
    page = served.write(lambda tx: bulk.following(tx.connection, row))
    for _ in range(2):
        served.write(lambda tx: chore._apply(tx, served.settings, row, page))
    assert progress(served, key)["done"] == 3
    assert len(listed(served, state="available")) == 3


def test_runs_made_after_the_request_are_left_alone_and_it_can_be_stopped(served: Served) -> None:
    served.post()
    key = begin(served, "cancel")["id"]
    later = served.post()
    served.call(chore.work_off)
    assert served.run(later)["state"] == "available"
    key = begin(served, "cancel")["id"]
    stopped = served.client.post(f"{PATH}/{key}/stop").json()["data"]
    assert stopped["state"] == "stopped"
    served.call(chore.work_off)
    assert served.run(later)["state"] == "available"


@pytest.mark.parametrize(
    "body",
    [{"action": "delete"}, {"action": "retry", "filters": {"after": "1.a"}},
     {"action": "retry", "filters": {"state": "odd"}}, {"action": "retry", "filters": [1]},
     {"action": "retry", "filters": {"worker": True}}, {"action": "retry", "dry_run": "yes"}],
)  # fmt: skip
def test_what_cannot_be_done_is_refused(shared: Served, body: dict[str, Any]) -> None:
    assert shared.client.post(PATH, json=body).status_code == 422
    assert shared.client.get(f"{PATH}/nothing").status_code == 404


def test_live_runs_go_before_retries_of_many(served: Served) -> None:
    failed(served, 3)
    begin(served, "retry")
    served.call(chore.work_off)
    live = served.post()
    with served.worker() as worker:
        worker.join_queue()
        claimed = [worker.claim()[0]["id"] for _ in range(2)]
    assert claimed[0] == live
    assert claimed[1] != live


def test_a_run_that_always_fails_is_skipped_and_told(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed(served, 5)
    bad = listed(served, state="failed")[3]["id"]
    key = begin(served, "retry")["id"]

    def fault(tx: Transaction, settings: Settings, run_id: str, **named: Any) -> Any:
        if run_id == bad:
            message = "always"
            raise RuntimeError(message)
        return retry(tx, settings, run_id, **named)

    monkeypatch.setattr(chore, "retry", fault)
    for _ in range(bulk.TRIES):
        served.call(chore.work_off)
        assert progress(served, key)["state"] == "running"
    served.call(chore.work_off)
    told = progress(served, key)
    assert (told["state"], told["done"], told["skipped"]) == ("done", 4, 1)
    assert told["problem"].startswith(f"run {bad}: RuntimeError")


def test_an_action_waits_for_a_database_that_is_away(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed(served, 1)
    key = begin(served, "retry")["id"]
    with monkeypatch.context() as patched:
        away = OperationalError("UPDATE", {}, Exception("away"))
        patched.setattr(chore, "retry", Mock(side_effect=away))
        for _ in range(bulk.TRIES + 2):
            served.call(chore.work_off)
    served.call(chore.work_off)
    told = progress(served, key)
    assert (told["state"], told["done"], told["problem"]) == ("done", 1, None)


@pytest.mark.parametrize("way", ["member removed", "role lost", "token revoked", "account closed"])
def test_an_action_stops_when_whoever_asked_may_do_it_no_more(served: Served, way: str) -> None:
    failed(served, 4)
    client = served.client
    user = client.post("/api/users", json={"email": "jo@example.org"}).json()["data"]["id"]
    member = f"/api/projects/demo/members/{user}"
    assert client.put(member, json={"role": "editor"}).status_code == 200
    own = Scope.READ, Scope.RUN
    key, token = served.write(
        lambda tx: add_token(tx, name="cli", scopes=own, created_by="jo", user_id=user)
    )
    kept = begin(served, "retry")["id"]
    headers = {"authorization": f"Bearer {token}"}
    answer = client.post(PATH, json={"action": "retry"}, headers=headers)
    assert answer.status_code == 202, answer.text
    mine = answer.json()["data"]["id"]
    assert served.call(lambda platform: chore._step(platform, mine)), "it may go on"
    assert progress(served, mine)["done"] == 3
    if way == "member removed":
        client.delete(member)
    elif way == "role lost":
        client.put(member, json={"role": "viewer"})
    elif way == "token revoked":
        served.write(lambda tx: revoke(tx, key))
    else:
        client.patch(f"/api/users/{user}", json={"disabled": True})
    served.call(chore.work_off)
    told = progress(served, mine)
    assert (told["state"], told["done"]) == ("stopped", 3)
    assert "no longer" in told["problem"]
    assert progress(served, kept)["state"] == "done", "the administrator's goes on"
    assert len(listed(served, state="available")) == 4


def test_an_action_of_a_browser_goes_on_after_the_logout(served: Served) -> None:
    failed(served, 4)
    subject = Subject(Kind.SESSION, "jo", FIRST_ACCOUNT, administrator=True, key_id="a session")
    project = served.client.get("/api/provision/demo").json()["data"]["id"]
    number = Count(4, exact=True)
    key = served.write(lambda tx: bulk.add(tx, project, "retry", {}, number=number, by=subject))
    served.call(chore.work_off)
    assert progress(served, key)["state"] == "done"


def test_a_dry_run_is_named_so_in_the_audit_log(served: Served) -> None:
    paths = PATH, "/api/projects/demo/retention/apply"
    for path, dry in itertools.product(paths, (True, False)):
        body = {"dry_run": dry, **({"action": "retry"} if path == PATH else {})}
        assert served.client.post(path, json=body).is_success
    events = served.client.get("/api/projects/demo/audit").json()["data"]
    tried = [event["details"].get("tried_only") for event in events[:4]]
    assert tried == [None, True, None, True]

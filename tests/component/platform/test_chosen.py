"""Runs that somebody has chosen in a list: who may retry and cancel them, and what is refused."""

from __future__ import annotations

import httpx
import pytest

from holdfast.platform.web.chosen import MOST, Told
from support.platform import Served


def choose(client: httpx.Client, runs: list[str], act: str, back: str = "/runs") -> httpx.Response:
    return client.post("/runs/chosen", data={"run": runs, "act": act, "back": back})


def test_only_who_may_run_cancels_and_is_recorded(shared: Served) -> None:
    run = shared.post()
    asked = {"name": "looks", "scopes": ["read"]}
    token = shared.client.post("/api/tokens", json=asked).json()["token"]
    head = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=shared.url, headers=head, timeout=30) as narrow:
        answer = choose(narrow, [run], "cancel")
        assert answer.headers["location"] == "/runs?told=cancel-0-1"
    assert shared.run(run)["state"] == "available"
    twice = choose(shared.client, [run, run, "nothing"], "cancel", "/runs?state=failed&told=x")
    assert twice.status_code == 303
    assert twice.headers["location"] == "/runs?state=failed&told=cancel-1-1"
    assert shared.run(run)["state"] == "cancelled"
    (event,) = shared.client.get("/api/projects/demo/audit?limit=1").json()["data"]
    assert (event["action"], event["details"]) == ("POST /runs/chosen cancel", {"run": run})


@pytest.mark.parametrize(
    ("runs", "act", "back"),
    [
        ([], "retry", "/runs"),
        ([str(n) for n in range(MOST + 1)], "retry", "/runs"),
        (["a"], "remove", "/runs"),
        (["a"], "retry", "https://elsewhere.example.org/runs"),
        (["a"], "retry", "//elsewhere.example.org"),
    ],
)
def test_what_is_no_choice_is_refused(
    shared: Served, runs: list[str], act: str, back: str
) -> None:
    assert choose(shared.client, runs, act, back).status_code == 422


CANCELLED = (
    "2 runs cancelled, or asked to end. 1 run left alone: it has ended, or is not yours to cancel."
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("retry-1-0", "1 run retried."),
        ("cancel-2-1", CANCELLED),
        ("remove-1-0", None),
        ("retry-1-0 <b>", None),
        ("retry-9999-0", None),
    ],
)
def test_what_was_done_is_told_from_numbers_alone(text: str, words: str | None) -> None:
    told = Told.read(text)
    assert (None if told is None else told.words) == words

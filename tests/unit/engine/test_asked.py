"""What processes of one run may tell of its requests."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.engine.shim.asked import TOLD, Asked


def sent(number: int, path: str = "/x") -> dict[str, Any]:
    return {"what": "sent", "number": number, "method": "GET", "host": "a.org", "path": path}


def more(number: int, *hosts: tuple[str, int]) -> dict[str, Any]:
    told = [
        {"host": host, "made": made, "sent": made, "answered": [0, made, 0, 0, 0], "failed": 0,
         "addresses": [f"{host}:{made}"]}
        for host, made in hosts
    ]  # fmt: skip
    return {"what": "more", "number": number, "hosts": told}


def made(body: dict[str, Any]) -> dict[str, int]:
    return {item["host"]: item["made"] for item in body["hosts"]}


def test_one_that_has_no_answer_is_remembered_until_it_has() -> None:
    asked = Asked()
    asked.take(sent(1))
    asked.take({"what": "begun", "number": 1, "status": 200})
    assert asked.pending == {1: "GET a.org/x (its status 200 has come, not its end)"}
    asked.take({"what": "answered", "number": 1, "status": 200})
    assert asked.pending == {}


@pytest.mark.parametrize("number", [0, 1, 2, TOLD + 1, 2**53])
def test_a_process_tells_of_no_request_of_one_before_it(number: int) -> None:
    asked = Asked()
    asked.take(sent(1))
    asked.take(sent(2))
    asked.next_process()
    with pytest.raises(ValueError, match=f"has the number {number}, not 3 to 1000"):
        asked.take({"what": "answered", "number": number, "status": 200})
    assert asked.number == 2


def test_counts_of_processes_are_added_up_and_none_takes_any_back() -> None:
    asked = Asked()
    asked.take(sent(TOLD))
    asked.take(more(TOLD + 3, ("a.org", 2), ("b.org", 1)))
    kept = asked.take(more(TOLD + 5, ("a.org", 4), ("b.org", 1)))
    assert made(kept) == {"a.org": 4, "b.org": 1}, "a process counts on by itself"
    asked.next_process()
    assert asked.number == TOLD + 5
    assert made(asked.take(more(9, ("a.org", 1)))) == {"a.org": 5, "b.org": 1}
    kept = asked.take(more(2**53))
    assert made(kept) == {"a.org": 4, "b.org": 1}
    assert kept["hosts"][0]["answered"] == [0, 4, 0, 0, 0]
    assert asked.number == TOLD + 5


def test_names_that_are_cleaned_to_the_same_are_one_host() -> None:
    kept = Asked().take(more(1002, ("***", 1), ("***", 1)))
    assert made(kept) == {"***": 2}
    assert kept["hosts"][0]["addresses"] == ["***:1"]


def test_hosts_beyond_the_first_stand_together() -> None:
    asked = Asked()
    asked.take(more(1001, *((f"h{n}", 1) for n in range(50))))
    asked.next_process()
    kept = asked.take(more(1001, *((f"i{n}", 1) for n in range(50))))
    assert len(kept["hosts"]) == 60
    assert sum(made(kept).values()) == 100


def test_counts_of_another_form_are_refused() -> None:
    body = more(1001, ("a.org", 1))
    body["hosts"][0]["answered"] = []
    with pytest.raises(ValueError, match="one for each first digit"):
        Asked().take(body)

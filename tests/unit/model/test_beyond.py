"""Requests that are counted by host instead of told one by one."""

from __future__ import annotations

from holdfast.model.beyond import Beyond
from holdfast.model.json import JsonObject

HOST: JsonObject = {
    "host": "a.org", "made": 3010, "sent": 3000, "answered": [0, 2990, 0, 4, 1], "failed": 2,
    "addresses": ["10.0.0.1:443"],
}  # fmt: skip


def test_what_is_neither_answered_nor_failed_is_under_way() -> None:
    found = Beyond.read({"hosts": [HOST], "whole": True})
    assert (found.answered, found.failed, found.under_way, found.never) == (2995, 2, 3, 10)
    assert found.addresses == {"10.0.0.1:443"}
    (row,) = found.rows
    head, _, tail = row.partition(" more were sent: ")
    assert head == "a.org: 3,000"
    assert tail == (
        "2,990 answered 2xx, 4 answered 4xx, 1 answered 5xx, 2 failed, 3 under way: fate unknown;"
        " 10 never left"
    )


def test_counts_that_may_have_grown_are_told_as_the_least() -> None:
    found = Beyond.read({"hosts": [{**HOST, "host": ""}]})
    assert found.rows[0].startswith("at least, other hosts: 3,000 more were sent")


def test_what_it_writes_can_be_read_again() -> None:
    found = Beyond.read({"hosts": [HOST], "whole": True})
    again = Beyond.read(found.to_json())
    assert again.rows == found.rows


def test_strange_values_count_as_nothing() -> None:
    strange: JsonObject = {"hosts": [{"host": 7, "made": -1, "answered": "x"}, "no"], "whole": 1}
    found = Beyond.read(strange)
    assert (found.made, found.answered, found.under_way, found.never) == (0, 0, 0, 0)
    assert Beyond.read({}).rows == []

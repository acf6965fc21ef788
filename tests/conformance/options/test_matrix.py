"""Command lines and environments mean here what they mean to the reference's own parser."""

from __future__ import annotations

import json

import pytest

from conformance.options.comparing import DEVIATIONS, RECORDED, difference
from conformance.options.matrix import TABLE, Case, cases

_RECORDED: list[Case] = json.loads(RECORDED.read_text())


def test_every_case_is_recorded() -> None:
    asked = [{**case, "result": None} for case in cases()]
    known = [{**case, "result": None} for case in _RECORDED]
    assert [case.pop("error", None) for case in known]
    assert known == asked, "record again: python -m tests.conformance.options CHECKOUT --record"


@pytest.mark.parametrize("key", [*(option.key for option in TABLE), "_"])
def test_the_same_meaning(key: str) -> None:
    mine = [case for case in _RECORDED if case["key"] == key]
    assert mine
    wrong = [f"{case} {text}" for case in mine if (text := difference(case)) is not None]
    assert not wrong, "\n".join(wrong)


def test_every_deviation_occurs_and_stands_in_the_documentation() -> None:
    page = (RECORDED.parents[3] / "docs" / "compatibility.md").read_text()
    for name in DEVIATIONS:
        assert name in page.replace("\n", " "), name


def test_a_wrong_value_is_noticed() -> None:
    assert difference({"key": "capacity", "argv": ["--capacity", "7"], "env": {}, "result": 8})
    assert difference({"key": "loop", "argv": ["--no-loop"], "env": {}, "result": True})
    assert difference({"key": "log", "argv": ["--log", "none"], "env": {}, "result": "info"})

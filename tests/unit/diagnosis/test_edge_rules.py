"""Conditions that ask nothing, and what is written instead of one that throws."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import holdfast
from holdfast.diagnosis import edge_rules
from holdfast.diagnosis.diagnose import diagnose
from holdfast.diagnosis.edge_rules import doubt
from holdfast.diagnosis.ending import Ending


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("state => state.data.ok", "function"),
        ("(state) => state.data.ok", "function"),
        ("function (state) { return true; }", "function"),
        ("  async(state) => state.data.ok", "function"),
        ("async state => state.data.ok", "function"),
        ("async => true", "function"),
        ("({ data, errors }) => data.ok", "function"),
        ("(state => state.data.ok)", "function"),
        ("( (state, other) => state.data.ok )", "function"),
        ("() => true", "function"),
        ("state.data.ok = true", "assignment"),
        ("state.data.list.some(item => item.ok)", None),
        ("state.data.a === 1 && state.data.b >= 2 && state.data.c !== '='", None),
        ("!state.errors", None),
        ("functions.of(state)", None),
        ("(state.data.list).every((item) => item.ok)", None),
        ("`it is = ${state.data.a}` === 'a = b'", None),
        ("state.data['a b'] = 1", "assignment"),
        ("state.data.ok = 1 && state.data.list.some(item => item.ok)", "assignment"),
        ("/state.a = b/.test(state.data.text)", None),
        ("/[/]state.a = 1/.test(state.data.text)", None),
        ("state.data.list.some((item, least = 1) => item.n > least)", None),
        ("state.data.list.some(i => { const n = i.n; state.n = n; return n > 1; })", None),
        ("((n = 1) => state.data.n > n)()", None),
        ("state.data.ok // state.data.ok = true would be wrong", None),
        ("/* state.data.ok = true */ state.data.ok", None),
        ("'it\\'s state.a = b' !== state.data.text", None),
        ("(state => state.data.ok)(state)", None),
        ("((s) => s.data.ok)(state) && !state.errors", None),
        ("(function () { return state.data.ok; })()", None),
        ("function () { return state.data.ok; }()", None),
        ("!state.errors?.map && Object.keys(state.data).length >= 1", None),
    ],
)
def test_a_function_and_an_assignment_ask_nothing(text: str, found: str | None) -> None:
    assert doubt(text) == found


@pytest.mark.parametrize("start", ["", "x", "(", "()", "((", "async", "x,", "(x) "])
@pytest.mark.parametrize("piece", [" ", "( ", "x ", ", ", "x, ", "/[", "/*", "'", "state.a"])
def test_a_long_text_takes_no_time(start: str, piece: str) -> None:
    assert doubt(start + piece * 1000 + "?") is None


def test_a_text_of_many_indexes_takes_no_time() -> None:
    text = " || ".join(f"state.rows[{n}].ok" for n in range(60))
    assert doubt(f"state.data.done / state.data.total > 0.5 && ({text})") is None


def test_a_text_of_blanks_takes_no_time() -> None:
    assert doubt(" " * 1_000_000) is None


def test_runs_and_diagnoses_see_the_same_assignments() -> None:
    plan = (Path(holdfast.__file__).parent / "engine" / "javascript" / "plan.mjs").read_text()
    found = dict(re.findall(r"^const (ASIDE|ASSIGNS|INSIDE) = /(.*)/g?;$", plan, re.MULTILINE))
    here = {
        name: getattr(edge_rules, f"_{name}").pattern for name in ("ASIDE", "ASSIGNS", "INSIDE")
    }
    assert found == here


@pytest.mark.parametrize(
    ("text", "name", "change"),
    [
        ("$.data.n > 1", "$", "`state.data.n > 1`"),
        ("data.n > 1 && other.data", "data", "`state.data.n > 1 && other.data`"),
    ],
)
def test_a_condition_knows_state_only(text: str, name: str, change: str) -> None:
    facts = {"edge": {"from": "a", "to": "b", "text": text}}
    end = Ending("crash", "EdgeConditionError", f"{name} is not defined", facts=facts)  # type: ignore[arg-type]
    found = diagnose(end)
    assert found is not None
    assert change in found.change

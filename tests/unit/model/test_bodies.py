"""Every kind of record has one definition, which refuses whatever its kind is not."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from holdfast.model.bodies import BODIES, SHAPES
from holdfast.model.json import DEEPEST, JsonObject, Unfit, parse_fit, parse_mended
from holdfast.model.record import Kind

DOCUMENT = Path(__file__).parents[3] / "docs" / "journal.md"
LOG: JsonObject = {"source": "JOB", "level": "info", "message": ["x"], "timestamp": "1"}
START: JsonObject = {"step_id": "s", "job_id": "j", "timestamp": "1"}
COMPLETE: JsonObject = {
    **START, "reason": "success", "duration": 3, "mem": {"job": 1, "system": 2},
}  # fmt: skip
RESULT: JsonObject = {"timestamp": "1", "reason": "success", "final_state": {"inline": "{}"}}
ERROR: JsonObject = {
    "timestamp": "1", "error_type": "E", "error_message": "m", "severity": "crash",
}  # fmt: skip
GOOD: list[tuple[Kind, JsonObject]] = [
    (Kind.LOG, LOG),
    (Kind.STEP_START, START),
    (Kind.STEP_COMPLETE, COMPLETE),
    (Kind.RESULT, RESULT),
    (Kind.RUN_ERROR, ERROR),
    (Kind.PHASE, {"phase": "step", "step": "a", "operation": 1}),
]


def problem(kind: Kind, body: object) -> str | None:
    return SHAPES[kind].problem(body)


@pytest.mark.parametrize(("kind", "body"), GOOD)
def test_a_record_of_an_honest_run_is_taken(kind: Kind, body: dict[str, Any]) -> None:
    assert problem(kind, body) is None


@pytest.mark.parametrize(("kind", "body"), GOOD)
def test_each_field_is_refused_with_a_value_of_another_type(
    kind: Kind, body: dict[str, Any]
) -> None:
    for name, value in body.items():
        for wrong in (1.5, [], {}, True, -1, "x" * 30_000, {"a": 1}, [None], 2**60):
            if type(wrong) is type(value) and not isinstance(value, str):
                continue
            found = problem(kind, {**body, name: wrong})
            if name == "duration" and wrong == 1.5:
                continue
            assert found is not None, (name, wrong)
            assert name in found


@pytest.mark.parametrize(("kind", "body"), GOOD)
def test_a_field_that_nobody_knows_or_that_is_missing_is_refused(
    kind: Kind, body: dict[str, Any]
) -> None:
    assert "unknown field 'more'" in str(problem(kind, {**body, "more": 1}))
    first = next(iter(body))
    assert first in str(problem(kind, {name: body[name] for name in body if name != first}))
    assert problem(kind, [body]) == "is not an object"


@pytest.mark.parametrize(
    "text",
    [
        '{"duration":1e999}', "[NaN]", "[-Infinity]", "1" * 26, "[1" + "0" * 400 + "]",
        "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), '{"a":' * 5000 + "1" + "}" * 5000,
        "[" * 100_000, "{", "", "\x00", '"\n"', "[1,]", "{'a':1}", "\ufeff[]",
    ],
)  # fmt: skip
def test_a_text_that_not_every_reader_takes_is_unfit(text: str) -> None:
    with pytest.raises(Unfit):
        parse_fit(text.encode())


def test_bytes_that_are_no_utf8_are_unfit() -> None:
    for data in (b'"\xff"', b'"\xed\xa0\x80"', "[1]".encode("utf-16"), "[1]".encode("utf-32")):
        with pytest.raises(Unfit):
            parse_fit(data)


def test_what_an_honest_engine_may_write_is_fit() -> None:
    values: list[Any] = [
        1.7e308, -0.0, 10**21, "\ud800", "\x00", json.loads("[" * DEEPEST + "]" * DEEPEST),
        {"": {"__proto__": None}}, [[]] * 1000,
    ]  # fmt: skip
    for value in values:
        assert parse_fit(json.dumps(value).encode()) == value


def test_numbers_of_an_older_journal_that_are_none_become_null() -> None:
    value: Any = parse_mended(b'{"a":1e999,"b":NaN,"c":-Infinity,"d":1' + b"0" * 400 + b',"e":2}')
    assert value == {"a": None, "b": None, "c": None, "d": None, "e": 2}
    with pytest.raises(Unfit):
        parse_mended(b"[" * 500 + b"]" * 500)


def test_a_wrong_field_is_left_out_and_told() -> None:
    kept, problems = SHAPES[Kind.STEP_COMPLETE].mended({**COMPLETE, "duration": math.inf})
    assert kept == {name: value for name, value in COMPLETE.items() if name != "duration"}
    assert problems == ["duration is no number from 0 to 9.0072e+15"]


def test_the_document_names_every_kind_and_every_field() -> None:
    rows = dict(re.findall(r"^\| ([A-Z_]+) \| (.*) \|$", DOCUMENT.read_text(), re.MULTILINE))
    for kind, body in BODIES.items():
        shape = SHAPES[kind]
        if kind in (Kind.NOTE, Kind.REPORT):
            continue  # in words
        names = re.findall(r"`([a-z_]+)(\??)`", re.sub(r"\(.*?\)", "", rows.pop(kind.name)))
        told = {name: bool(mark) for name, mark in names}
        defined = {name: name not in shape.required for name in shape.fields}
        assert told == defined, body.__name__
    assert set(rows) == {"REPORT", "NOTE"}

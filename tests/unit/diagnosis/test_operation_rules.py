"""Failures inside of an adaptor's operation, told by what the author gave it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.diagnosis.diagnose import diagnose
from holdfast.diagnosis.ending import Diagnosis, Ending
from holdfast.model.adaptor_name import COLLECTIONS
from holdfast.model.json import JsonObject

STATE: JsonObject = {"data": {"items": {"[]": 1}, "age": "number", "one": {"a": "number"}}}


def told(message: str, code: str, name: str = "each", kind: str = "AdaptorError") -> Diagnosis:
    position: JsonObject = {"line": 1, "column": len(code) + 1}
    facts: JsonObject = {"name": name, "code": code, "state": STATE, "phase": "step"}
    found = diagnose(Ending("fail", kind, message, "a", position, facts))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("message", "code", "expected", "change"),
    [
        (
            "TypeError: Cannot read properties of undefined (reading 'reduce')",
            "each($.data.itmes, fn(s => s));",
            "HF1101",
            "state.data.items",
        ),
        (
            "TypeError: Cannot read properties of undefined (reading 'then')",
            "each('$.data.items[*]', s => { s.x = 1; });",
            "HF1126",
            "return state",
        ),
        ("TypeError: func is not a function", "fn({ a: 1 });", "HF1127", "a function"),
        (
            "TypeError: asData(...).reduce is not a function",
            "each($.data.one, fn(s => s));",
            "HF1127",
            "state.data.one is an object",
        ),
        ("UNEXPECTED_RELATIVE_URL", "each('/x');", "HF1307", "baseUrl"),
        ("UNEXPECTED_RELATIVE_URL", "each(state, '/x');", "HF1127", "Leave state out"),
        ("200: Error parsing the response body", "each('/x');", "HF1112", "parseAs"),
        ("RangeError: Use `yyyy` instead of `YYYY` (in `YYYY`)", "f();", "HF1114", "Write yyyy"),
    ],
)
def test_what_was_given_is_told(message: str, code: str, expected: str, change: str) -> None:
    found = told(message, code)
    assert found.code == expected
    assert change in found.change


def test_keys_that_a_platform_gives_are_not_asked_of_the_author() -> None:
    adaptors: JsonObject = {
        "adaptors": [{"name": COLLECTIONS, "required": ["collections_token"], "keys": []}]
    }
    facts: JsonObject = {"name": "get", "code": "get('/x')", "state": {}, **adaptors}
    end = Ending("fail", "AdaptorError", "UNEXPECTED_RELATIVE_URL", "a", facts=facts)
    found = diagnose(end)
    assert found is not None
    assert found.code == "HF1307"


def test_an_error_in_the_authors_own_function_is_not_the_operations() -> None:
    code = "each($.data.items, s => s.data.nobody.then"
    found = told("TypeError: Cannot read properties of undefined (reading 'then')", code)
    assert found.code == "HF1102"
    assert told("TypeError: func is not a function", "fn(s => func(s));").code == "HF1110"


@pytest.mark.parametrize(
    ("message", "code", "change"),
    [
        ("TypeError: s.data.age.trim is not a function", "fn(s => s.data.age.trim());",
         "String(s.data.age).trim"),
        ("TypeError: s.data.items.forEch is not a function", "fn(s => s.data.items.forEch());",
         "Write forEach"),
        ("TypeError: Reduce of empty array with no initial value", "fn(s => s.data.reduce(f));",
         "first value"),
    ],
)  # fmt: skip
def test_methods_are_told_by_the_kind_of_their_value(message: str, code: str, change: str) -> None:
    assert change in told(message, code, "fn", "RuntimeError").change


@pytest.mark.parametrize(
    ("message", "code", "what", "change"),
    [
        (
            "(reading 'name')",
            "fn(s => s.data.items.find(i => i.id).",
            "What find(…) gave",
            "`?.name`",
        ),
        ("(reading '0')", "fn(s => s.nothing[", "its [0]", "s.nothing?.[0]"),
        ("(reading 'a b')", "fn(s => s.nothing[", "['a b']", "s.nothing?.['a b']"),
    ],
)
def test_a_missing_value_has_words_that_can_be_typed(
    message: str, code: str, what: str, change: str
) -> None:
    found = told(
        f"TypeError: Cannot read properties of undefined {message}", code, "fn", "RuntimeError"
    )
    assert what in found.what
    assert change in found.change


def test_an_answer_that_broke_off_is_no_bad_text() -> None:
    causes: JsonObject = {"causes": [{"message": "x", "error": "other side closed"}]}
    end = Ending(
        "fail", "AdaptorError", "200: Error parsing the response body",
        facts={"name": "get", "code": "get('/x')", **causes},
    )  # fmt: skip
    found = diagnose(end)
    assert found is not None
    assert found.code == "HF1305"
    whole = diagnose(replace(end, facts={**end.facts, "causes": []}))
    assert whole is not None
    assert whole.code == "HF1112"

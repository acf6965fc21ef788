"""A literal of job code becomes items, each with the value that it had."""

from __future__ import annotations

import json
from typing import Any

import pytest

from holdfast.checking.literal import UnmovableError, items_of


@pytest.mark.parametrize(
    ("literal", "kind", "items"),
    [
        ("[1, [2], null]", "list", {"1": 1, "2": [2], "3": None}),
        ('[{"id": "a"}, {"id": "b"}]', "list", {"a": {"id": "a"}, "b": {"id": "b"}}),
        ('[{"id": "a"}, {"id": "a"}]', "list", {"1": {"id": "a"}, "2": {"id": "a"}}),
        ('[{"id": "\\u0000"}]', "list", {"1": {"id": "\0"}}),
        ('["__proto__", "\\ud800"]', "list", {"1": "__proto__", "2": "\ud800"}),
        ('[{"id": "\\ud800"}]', "list", {"1": {"id": "\ud800"}}),
        ("{9007199254740993: 1}".replace("9007199254740993", "9" * 15), "map", {"9" * 15: 1}),
        ('{"9007199254740993": 1}', "map", {"9007199254740993": 1}),
        ('[{"id": 1, "code": "x"}]', "list", {"x": {"id": 1, "code": "x"}}),
        ('{"a": 1, "b": {"c": 2}, "a": 3}', "map", {"a": 3, "b": {"c": 2}}),
        ("{a: 'it\\'s', $b: \"\\x41\\u00e9\", 3: [1,], /* c: 1, */ d: true, // e\n}", "map",
         {"a": "it's", "$b": "Aé", "3": [1], "d": True}),
        ("'one\\\ntwo\\n'", "text", {"0001": "onetwo\n"}),
        ("`one\r\n\\`two\\``", "text", {"0001": "one\n`two`"}),
        ("'\\ud83d\\ude00'", "text", {"0001": "😀"}),
    ],
)  # fmt: skip
def test_each_value_is_what_it_was(literal: str, kind: str, items: dict[str, Any]) -> None:
    found = items_of(literal)
    assert (found.kind, {key: json.loads(value) for key, value in found.pairs}) == (kind, items)
    assert list(dict(found.pairs)) == list(items)


def test_numbers_stay_as_they_are_written() -> None:
    text = "[1.10, 12345678901234567890, -0, 1e400]"
    assert [value for _, value in items_of(text).pairs] == [
        "1.10", "12345678901234567890", "-0", "1e400",
    ]  # fmt: skip


def test_a_long_text_is_cut_into_pieces() -> None:
    found = items_of(f"'{'é' * 1_200_000}'")
    assert [key for key, _ in found.pairs] == ["0001", "0002", "0003"]
    assert "".join(json.loads(value) for _, value in found.pairs) == "é" * 1_200_000


@pytest.mark.parametrize(
    "literal",
    ["[1,,2]", "[0x10]", "[10n]", "{a: b}", "[NaN]", "{'__proto__': 1}", "[.5]", "['\\ud800']",
     "{'': 1}", f"{{'{'k' * 256}': 1}}", f"['{'x' * 1_000_001}']", "[" * 100_000, "{'\\07': 1}",
     "{9007199254740993: 1}", '{"a\\u0000": 1}', '{"\\ud800": 1}', '{"\\u005f_proto__": 1}',
     '[{"\\u005f_proto__": 1}]'],
)  # fmt: skip
def test_what_could_change_is_refused(literal: str) -> None:
    with pytest.raises(UnmovableError):
        items_of(literal)


def test_comments_without_an_end_take_no_time() -> None:
    with pytest.raises(UnmovableError):
        items_of("[" + "/*" * 200_000)
    with pytest.raises(UnmovableError):
        items_of("[" + "a /* */ " * 50_000)

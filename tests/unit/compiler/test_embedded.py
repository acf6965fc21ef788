"""Finding literals that hold nothing but data."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.compiler import compile_job
from holdfast.compiler.embedded import Literal, find_literals

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner)),
    max_leaves=20,
)


def kinds(text: str, smallest: int = 8) -> list[tuple[str, str]]:
    return [(item.kind, text[item.start : item.end]) for item in find_literals(text, smallest)]


@given(JSON, st.sampled_from([None, 1, 2]))
@example({"__proto__": None}, None)
def test_any_json_is_found_whole(value: object, indent: int | None) -> None:
    data = json.dumps([value, 1], indent=indent)
    text = f"const x = {data};"
    # As a key this sets the prototype; wherever the word stands, no more is looked for.
    kind = "object" if "__proto__" in data else "json"
    assert find_literals(text, 1) == [Literal(10, 10 + len(data), kind)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x = [1, 2, 3, a, [4, 5, 6]]", [("json", "[4, 5, 6]")]),
        ("x = {a: [1, 2, 3], b: f}", [("json", "[1, 2, 3]")]),
        ("x = {a: 1, b: 0x10}", [("object", "{a: 1, b: 0x10}")]),
        ("x = [1, 2, 3, 4,]", [("object", "[1, 2, 3, 4,]")]),
        ("x = [1, /* ] */ 2]", [("object", "[1, /* ] */ 2]")]),
        ("x = ['a]', 'b\\'']", [("object", "['a]', 'b\\'']")]),
        ("f([1, 2, 3, 4}, {})", []),
        ("x = [f(1), `a`, a]", []),
        ("const {a: [b, c]} = d", []),
        ("return\n[1, 2, 3, 4]", []),
        ("x = [1, 2, 3, 4", []),
        ('x = {"__proto__": 1}', [("object", '{"__proto__": 1}')]),
    ],
)
def test_what_is_found(text: str, found: list[tuple[str, str]]) -> None:
    assert kinds(text) == found


def test_json_within_another_notation_is_found() -> None:
    text = 'x = {a: {"b": [1, 2, 3]}, c: [{"d": 1}, 2], ["k"]: {"e": 1}, f: {g: {"h": 1}}}'
    (whole,) = find_literals(text, 3)
    assert whole.kind == "object"
    inner = [text[part.start : part.end] for part in whole.parts]
    assert inner == ['{"b": [1, 2, 3]}', '[{"d": 1}, 2]', '{"e": 1}', '{"h": 1}']


@pytest.mark.parametrize(
    "text",
    [
        "({a: {}, b: [], c: {}}) => 1;",
        "[[], {}, [], {}] = x;",
        "for ({a: [], b: {}} of x) fn(1);",
        "l: {a: [1, 2, 3, 4]}",
        "switch (x) { case 1: {a: [1, 2, 3, 4]} }",
        "fn(`x = [1, 2, 3, 4]`, /x = [1, 2, 3, 4]/, 'x = [1, 2, 3, 4]');",
        "// x = [1, 2, 3, 4]\nfn(1);",
        "fn(({a: {b: [], c: []}}) => 1);",
        "class A { a = [1, 2, 3, 4]; [[1, 2, 3, 4]] = 1 }",
        "x = y ? [1, 2, 3, 4] : {a: 1, b: 2};",
        "if (a) return_ = [1, 2, 3, 4]; else ({a: 1, b: [2]}).b.map(fn);",
    ],
)
def test_taking_data_out_never_changes_the_module(text: str) -> None:
    plain = compile_job(text)
    other = compile_job(text, smallest_literal=4, hoist_from=None)
    assert plain.doubt is None
    assert other.code == plain.code

"""Differences of two outputs, place by place."""

from __future__ import annotations

import pytest

from holdfast.bench.changes import changes_of


@pytest.mark.parametrize(
    ("before", "now", "lines"),
    [
        ('{"a":1}', '{"a":1}', []),
        ('{"a":1}', '{"a":2}', ["~ a: 1 -> 2"]),
        ('{"a":{"b":1}}', '{"a":{}}', ["- a.b: 1"]),
        ('{"a":[1]}', '{"a":[1,"x"]}', ['+ a[1]: "x"']),
        ('{"a":[1,2]}', '{"a":[1]}', ["- a[1]: 2"]),
        ('{"a":1}', '{"a":true}', ["~ a: 1 -> true"]),
        ("1", "2", ["~ the output: 1 -> 2"]),
        ('{"a":1,"b":2}', '{"b":2,"a":1}', ["~ the same values, in another order or form"]),
    ],
)
def test_each_place_that_differs_has_its_line(before: str, now: str, lines: list[str]) -> None:
    assert changes_of(before, now) == lines


def test_an_output_that_came_or_went_is_one_line() -> None:
    assert changes_of(None, '{"a":1}')[0].startswith("+")
    assert changes_of('{"a":1}', None)[0].startswith("-")
    assert changes_of(None, None) == []


def test_long_values_are_cut_and_deep_ones_are_not_walked() -> None:
    deep = "[" * 2000 + "]" * 2000
    assert len(changes_of(deep, "[]")) == 1
    assert len(changes_of('{"a":1}', f'{{"a":"{"x" * 5000}"}}')[0]) < 300

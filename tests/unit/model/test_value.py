"""`value`: what it is at run time; that fields cannot be set is mypy's to say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.model.value import value


@value
class Point:
    x: int
    y: int = 2


@value
class Named(Point):
    name: str = ""


def test_a_value_is_equal_to_its_like_and_can_be_a_key() -> None:
    assert Point(1) == Point(1, 2) != Point(1, 3)
    assert {Point(1): "one"}[Point(1, 2)] == "one"
    assert replace(Named(1, name="a"), y=5) == Named(1, 5, "a")


def test_a_value_has_no_room_for_other_names() -> None:
    with pytest.raises(AttributeError):
        Point(1).z = 3  # type: ignore[attr-defined]

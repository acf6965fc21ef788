"""Checks of foreign JSON values against a TypedDict. Pure, and quick enough for every log line.

`shape_of` reads a TypedDict once and gives a `Shape`. The types it knows: texts, numbers, truth
values, None, literals, lists, dictionaries, unions with None, other TypedDicts, and `Any`. Limits
stand in `Annotated`: `Chars` for texts, `Between` for numbers, `Items` for lists.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    TypeAlias,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from holdfast.model.json import JsonObject

#: Says what is wrong with a value, in words that follow its name; None when nothing is.
Check: TypeAlias = Callable[[object], "str | None"]
_SHOWN = 60  # letters of a foreign name in a message


@dataclass(frozen=True, slots=True)
class Chars:
    """A text of at most so many characters."""

    most: int


@dataclass(frozen=True, slots=True)
class Between:
    """A number within these bounds, both included."""

    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Items:
    """A list of at most so many items."""

    most: int


@dataclass(frozen=True, slots=True)
class Shape:
    """What an object must look like. `fields` are all it may have."""

    name: str
    fields: Mapping[str, Check]
    required: frozenset[str]

    def problem(self, value: object) -> str | None:
        """What is wrong with a value, unknown fields included; None when nothing is."""
        if type(value) is not dict:
            return "is not an object"
        for key, item in value.items():
            check = self.fields.get(key)
            if check is None:
                return f"has the unknown field {_shown(key)}"
            if (found := check(item)) is not None:
                return f"has the field {key}, which {found}"
        if not self.required <= value.keys():
            return f"has no {', '.join(sorted(self.required - value.keys()))}"
        return None

    def mended(self, value: JsonObject) -> tuple[JsonObject, list[str]]:
        """The value without the fields that are wrong, and what was wrong with them.

        Unknown fields stay; whoever needs a field that is missing says so.
        """
        kept, problems = dict(value), []
        for key, item in value.items():
            check = self.fields.get(key)
            if check is not None and (found := check(item)) is not None:
                del kept[key]
                problems.append(f"{key} {found}")
        return kept, problems


def shape_of(kind: type) -> Shape:
    """The shape that a TypedDict describes. TypeError for a type that is not known here."""
    hints = get_type_hints(kind, include_extras=True)
    # Not `__required_keys__`: it is wrong where annotations are texts (python/cpython#97727).
    total = kind.__total__  # type: ignore[attr-defined]  # every TypedDict has it
    required = {
        key for key, hint in hints.items() if total and get_origin(hint) is not NotRequired
    }
    fields = {key: _check(hint) for key, hint in hints.items()}
    return Shape(kind.__name__, fields, frozenset(required))


def _check(hint: Any) -> Check:
    origin, arguments = get_origin(hint), get_args(hint)
    if is_typeddict(hint):
        return shape_of(hint).problem
    make = _MAKERS.get(origin)
    if make is not None:
        return make(arguments)
    known = _PLAIN.get(hint)
    if known is None:
        message = f"no check is known for {hint!r}"
        raise TypeError(message)
    return known


def _ruled(arguments: tuple[Any, ...]) -> Check:
    """Of `Annotated`: a type with one rule."""
    hint, rule = arguments
    if isinstance(rule, Chars):
        return _text(rule.most)
    if isinstance(rule, Between):
        return _number((int,) if hint is int else (int, float), rule)
    if isinstance(rule, Items):
        return _short(_check(hint), rule.most)
    message = f"no rule is known for {rule!r}"
    raise TypeError(message)


# One call for each field: a log line comes 50,000 times a second.


def _text(most: int) -> Check:
    long = f"is longer than {most} characters"

    def check(value: object) -> str | None:
        if type(value) is not str:
            return "is not a text"
        return None if len(value) <= most else long

    return check


def _number(kinds: tuple[type, ...], rule: Between) -> Check:
    least, most = rule.least, rule.most
    text = f"is no {'whole number' if kinds == (int,) else 'number'} from {least:g} to {most:g}"

    def check(value: object) -> str | None:
        return None if type(value) in kinds and least <= value <= most else text  # type: ignore[operator]  # a number

    return check


def _short(base: Check, most: int) -> Check:
    def check(value: object) -> str | None:
        if (found := base(value)) is not None:
            return found
        return None if len(value) <= most else f"has more than {most} items"  # type: ignore[arg-type]  # a list

    return check


def _either(arguments: tuple[Any, ...]) -> Check:
    checks = [_check(item) for item in arguments if item is not type(None)]
    nothing, (first, *others) = len(checks) < len(arguments), checks

    def check(value: object) -> str | None:
        if value is None and nothing:
            return None
        found = first(value)
        for other in others if found is not None else ():
            found = other(value)
            if found is None:
                break
        return found

    return check


def _one_of(words: tuple[Any, ...]) -> Check:
    known = {(type(word), word) for word in words}
    kinds = {kind for kind, _ in known}
    text = f"is none of {', '.join(map(str, words))}"

    def check(value: object) -> str | None:
        kind = type(value)
        return None if kind in kinds and (kind, value) in known else text

    return check


def _list_of(arguments: tuple[Any, ...]) -> Check:
    inner = _check(arguments[0])

    def check(value: object) -> str | None:
        if type(value) is not list:
            return "is not a list"
        for item in value if inner is not _anything else ():
            if (found := inner(item)) is not None:
                return f"has an item that {found}"
        return None

    return check


def _dict_of(arguments: tuple[Any, ...]) -> Check:
    inner = _check(arguments[1])

    def check(value: object) -> str | None:
        if type(value) is not dict:
            return "is not an object"
        for key, item in value.items():
            if (found := inner(item)) is not None:
                return f"has the field {_shown(key)}, which {found}"
        return None

    return check


def _of_type(text: str, *kinds: type) -> Check:
    def check(value: object) -> str | None:
        return None if type(value) in kinds else text

    return check


def _anything(_value: object) -> None:
    return None


_PLAIN: dict[Any, Check] = {
    str: _of_type("is not a text", str),
    int: _of_type("is not a whole number", int),
    float: _of_type("is not a number", int, float),
    bool: _of_type("is neither true nor false", bool),
    type(None): _of_type("is not null", type(None)),
    Any: _anything,
}
_MAKERS: dict[Any, Callable[[tuple[Any, ...]], Check]] = {
    Annotated: _ruled,
    Literal: _one_of,
    Union: _either,
    types.UnionType: _either,
    list: _list_of,
    dict: _dict_of,
    NotRequired: lambda arguments: _check(arguments[0]),
}


def _shown(name: str) -> str:
    return repr(name[:_SHOWN])

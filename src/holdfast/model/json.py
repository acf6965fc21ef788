"""The type of any JSON value, and the reading of JSON texts that others have written."""

from __future__ import annotations

import json
from typing import NoReturn, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = "dict[str, Json]"

#: Levels of lists and objects in a record. An honest log line has about 200 at most.
DEEPEST = 256
#: Digits of a whole number; no honest writer of JSON needs more than 22.
_DIGITS = 25


class Unfit(ValueError):  # noqa: N818 - said of the text
    """A text is no JSON that every reader takes: the message says why."""


def parse_fit(data: bytes) -> Json:
    """The value of a JSON text in UTF-8 that every reader can take.

    Raises Unfit for anything but JSON (RFC 8259), for numbers that are infinite or longer than 25
    digits, and for more than DEEPEST levels.
    """
    try:
        text = data.decode()
        value: Json = _FIT.decode(text)
    except Unfit:
        raise
    except RecursionError as error:
        message = "it is nested too deeply"
        raise Unfit(message) from error
    except ValueError as error:
        message = "it is not JSON"
        raise Unfit(message) from error
    if text.count("[") + text.count("{") > DEEPEST and is_deep(value, DEEPEST):
        message = f"it is nested deeper than {DEEPEST} levels"
        raise Unfit(message)
    return value


def parse_mended(data: bytes) -> Json:
    """The value of a JSON text that an older version may have written unchecked.

    Numbers that JSON cannot say become null. Raises Unfit when the text is not JSON, or has more
    than DEEPEST levels.
    """
    try:
        text = data.decode("utf-8", "surrogatepass")
        value: Json = _MENDED.decode(text)
    except (ValueError, RecursionError) as error:
        message = "it is not JSON, or nested too deeply"
        raise Unfit(message) from error
    if text.count("[") + text.count("{") > DEEPEST and is_deep(value, DEEPEST):
        message = f"it is nested deeper than {DEEPEST} levels"
        raise Unfit(message)
    return value


def is_deep(value: Json, most: int) -> bool:
    """Whether lists and objects stand in each other more than `most` times."""
    level: list[Json] = [value]
    for _ in range(most):
        inner: list[Json] = []
        for item in level:
            if isinstance(item, dict):
                inner += [part for part in item.values() if isinstance(part, list | dict)]
            elif isinstance(item, list):
                inner += [part for part in item if isinstance(part, list | dict)]
        if not inner:
            return False
        level = inner
    return True


def check_json(text: str) -> None:
    """Raises ValueError when a text is no JSON (RFC 8259) that can be sent as UTF-8, or is nested
    deeper than can be looked into (about a thousand). Builds next to nothing of the value."""
    try:
        _CHECKER.decode(text)
        text.encode()
    except RecursionError as error:
        message = "it is nested too deeply"
        raise ValueError(message) from error


def _refuse(constant: str) -> NoReturn:
    message = f"{constant} is no JSON"
    raise ValueError(message)


def _whole(text: str) -> int:
    if len(text) > _DIGITS:
        message = f"it has a number of {len(text)} digits"
        raise Unfit(message)
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        message = "it has an infinite number"
        raise Unfit(message)
    return number


def _unfit(constant: str) -> NoReturn:
    message = f"it has the number {constant}"
    raise Unfit(message)


_FIT = json.JSONDecoder(parse_int=_whole, parse_float=_finite, parse_constant=_unfit)
_MENDED = json.JSONDecoder(
    parse_int=lambda text: int(text) if len(text) <= _DIGITS else None,
    parse_float=lambda text: number if (number := float(text)) - number == 0 else None,
    parse_constant=lambda _: None,
    strict=False,
)
_CHECKER = json.JSONDecoder(
    object_pairs_hook=lambda _: None,
    parse_int=lambda _: 0,
    parse_float=lambda _: 0,
    parse_constant=_refuse,
)

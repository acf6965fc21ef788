"""The type of any JSON value, and the reading of JSON texts that others have written."""

from __future__ import annotations

import json
from itertools import accumulate
from typing import NoReturn, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = "dict[str, Json]"

#: Levels of lists and objects in a record. An honest log line has about 200 at most.
DEEPEST = 256
#: Levels in any other document: a state, a frame, a plan, a file. JavaScript has no such limit,
#: and each version of Python has its own. So we define one: every reader accepts a document of
#: this depth (none uses more than two calls for each level) and refuses a deeper one.
DEEPEST_DOCUMENT = 400
#: Characters up to which counting the brackets is cheaper than gathering them.
_SHORT = 16 * 1024
#: Digits of a whole number; no honest writer of JSON needs more than 22.
_DIGITS = 25


class Unfit(ValueError):  # noqa: N818 - said of the text
    """A text that not every reader accepts as JSON; the message says why."""


def parse_fit(data: bytes) -> Json:
    """The value of a JSON text in UTF-8 that every reader can take.

    Raises Unfit for anything but JSON (RFC 8259), for numbers that are infinite or longer than 25
    digits, and for more than DEEPEST levels.
    """
    return _parsed(data, "strict", _FIT)


def parse_mended(data: bytes) -> Json:
    """The value of a JSON text that nobody has checked when it was written.

    Numbers that JSON cannot say become null. Raises Unfit when the text is not JSON, or has more
    than DEEPEST levels.
    """
    return _parsed(data, "surrogatepass", _MENDED)


def _parsed(data: bytes, errors: str, decoder: json.JSONDecoder) -> Json:
    """The value of a text in UTF-8. Unfit when it is not JSON, or too deep."""
    try:
        text = data.decode("utf-8", errors)
        refuse_depth(text, DEEPEST)
        value: Json = decoder.decode(text)
    except Unfit:
        raise
    except ValueError as error:
        message = "it is not JSON"
        raise Unfit(message) from error
    return value


def parse_document(text: str | bytes) -> Json:
    """The value of a JSON text as others understand it: NaN and infinities are none.

    Raises ValueError (json.JSONDecodeError with the place, where there is one), Unfit for more
    than DEEPEST_DOCUMENT levels.
    """
    refuse_depth(text)
    value: Json = json.loads(text, parse_constant=_refuse)
    return value


def nests_deeper(text: str | bytes, most: int = DEEPEST_DOCUMENT) -> bool:
    """Whether lists and objects stand in each other more than `most` times in a JSON text.

    Counted in the text, as building the value may be what a deep one makes fail. Of a text that
    is no JSON it says so only when its reader would get as deep.
    """
    if len(text) <= most:
        return False
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "replace")
    if len(text) < _SHORT and text.count("[") + text.count("{") <= most:
        return False
    brackets = _brackets(text)
    if brackets.count(b"{") <= most:
        return False
    left, levels = brackets, 0
    while levels <= most and left != (inner := left.replace(b"{}", b"")):
        left, levels = inner, levels + 1  # the innermost level of each part is gone
    if levels + left.count(b"{") <= most:
        return False
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0) > most


def _brackets(text: str) -> bytes:
    """All brackets of a JSON text outside its strings, as braces."""
    if "\\" in text:
        text = text.replace("\\\\", "").replace('\\"', "")
    marks = text.encode("ascii", "replace").translate(_AS_BRACES, _NO_MARKS)
    # Two quotes side by side hold nothing or lie between two strings: what is in one stays so.
    marks = marks.replace(b'""', b"")
    return b"".join(marks.split(b'"')[::2])


def refuse_depth(text: str | bytes, most: int = DEEPEST_DOCUMENT) -> None:
    """Raises Unfit when a JSON text is nested deeper than `most` levels."""
    if nests_deeper(text, most):
        message = f"it is nested too deeply: more than {most} levels"
        raise Unfit(message)


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


def with_whole_characters(value: Json) -> Json:
    """The value with U+FFFD for each half of a character, which UTF-8 cannot carry."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [with_whole_characters(item) for item in value]
    if isinstance(value, dict):
        return {
            str(with_whole_characters(key)): with_whole_characters(item)
            for key, item in value.items()
        }
    return value


def check_json(text: str) -> bool:
    """Raises ValueError when a text is no JSON (RFC 8259) that can be sent as UTF-8.

    False for one that is nested deeper than DEEPEST_DOCUMENT levels: it is not looked into. Builds
    next to nothing of the value."""
    if nests_deeper(text):
        return False
    _CHECKER.decode(text)
    text.encode()
    return True


def _refuse(constant: str) -> NoReturn:
    message = f"{constant} is not JSON"
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


_STEPS = [{"{": 1, "}": -1}.get(chr(number), 0) for number in range(256)]
_NO_MARKS = bytes(number for number in range(256) if chr(number) not in '[]{}"')
_AS_BRACES = bytes.maketrans(b"[]", b"{}")
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

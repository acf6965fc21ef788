"""JSON that somebody sends to be stored: what no database or reader could take is refused.

One rule for every door, so that bad input is answered with the place and never with "try again".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from holdfast.model.json import Json, Unfit, parse_document

#: Every digit is one, so that numbers which may be too large can be found by their shape: fast.
_SHAPES = bytes.maketrans(b"123456789E", b"000000000e")
_HUGE = (b"0" * 16, b"0e000", b".e000", b"0e+000", b".e+000")
#: Whole numbers are stored in 64 bits; JavaScript's numbers end before.
_MOST = 2**63
_HALF = re.compile("[\ud800-\udfff]")


def parse_request(text: str | bytes, *, document: bool = False) -> Json:
    """The value of a JSON text in a request.

    Raises ValueError that says what is wrong and where: no JSON, half of a character, a number
    that is infinite. Unless it is a `document`, which is stored as JSON text, also a NUL
    and a number beyond 64 bits.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            message = f"byte {error.start} is no UTF-8"
            raise Unfit(message) from error
    value = parse_document(text)
    if _is_suspicious(text):
        refuse_unfit(value, document=document)
    return value


def _is_suspicious(text: str) -> bool:
    """Only an escape can make half of a character, or a NUL; only so many signs a huge number."""
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return True
    shape = data.translate(_SHAPES)
    return b"\\u" in data or any(huge in shape for huge in _HUGE)


def refuse_unfit(value: Json, *, document: bool = False) -> None:
    """Raises Unfit with the place of the first part that cannot be stored."""
    for place, part in _parts(value):
        if (why := _why(part, document=document)) is not None:
            message = f"{place}: {why}"
            raise Unfit(message)


def _why(part: Json, *, document: bool) -> str | None:
    if isinstance(part, str):
        if half := _HALF.search(part):
            return f"it has half of a character (U+{ord(half[0]):04X})"
        return "it has a NUL character" if "\0" in part and not document else None
    if isinstance(part, float) and part - part != 0:
        return "the number is infinite"
    if isinstance(part, int) and not document and not -_MOST <= part < _MOST:
        return "the number needs more than 64 bits"
    return None


def _parts(value: Json) -> Iterator[tuple[str, Json]]:
    """Every plain value with its place; names of members count as values."""
    waiting: list[tuple[str, Json]] = [("$", value)]
    while waiting:
        place, part = waiting.pop()
        if isinstance(part, dict):
            for name in part:
                yield f"{place}, a member's name", name
            waiting += [(f"{place}.{name}", item) for name, item in reversed(part.items())]
        elif isinstance(part, list):
            waiting += [(f"{place}[{n}]", item) for n, item in reversed([*enumerate(part)])]
        else:
            yield place, part

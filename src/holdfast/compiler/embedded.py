"""Embedded data: literals that hold nothing but data.

They are taken out before the text is analysed, so that a tree is only built of what is code.
Whether a stretch of text really is an expression is not decided here: each candidate is put to
the proof by `analysis`, which looks where its stand-in ends up in the tree.

Every part of the text is looked at a fixed number of times, whatever it holds: a failed attempt
is never begun again inside what it has seen.
"""

from __future__ import annotations

import json.scanner
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

#: Literals smaller than this are left to the parser.
SMALLEST = 128
#: Below this size of the whole text nothing is gained by looking.
WORTHWHILE = 16 * 1024

#: A place where an expression may begin, and the beginning of a literal.
_START = re.compile(r"""(?:[=(,:\[?]|\breturn\b(?=[ \t]*+[\[{"'`]))\s*+(?=[\[{"'`])""")
_COMMENT = r"//[^\n\r]*+|/\*(?:[^*]|\*(?!/))*+\*/"
_DOUBLE = r'"(?:[^"\\\n\r]|\\(?:\r\n|[\s\S]))*+"'
_SINGLE = r"'(?:[^'\\\n\r]|\\(?:\r\n|[\s\S]))*+'"
#: The longest stretch of tokens of which literals are made. No name but keys.
_RUN = re.compile(
    rf"""(?:[\s\[\]{{}},:]++|{_DOUBLE}|{_SINGLE}|-?(?:\d[\w.]*+(?:(?<=[eE])[+-]\d++)?|\.\d\w*+)
    |(?:true|false|null)\b(?!\$)|[A-Za-z_$\x80-\xff][\w$\x80-\xff]*+(?=\s*+:)|{_COMMENT})*+""",
    re.VERBOSE | re.ASCII,
)
_BRACKET = re.compile(rf"[\[\]{{}}]|{_DOUBLE}|{_SINGLE}|{_COMMENT}")
_CLOSES = {"]": "[", "}": "{"}
#: Strings whose escapes are beyond doubt, so that they may be shortened for V8's check.
_PLAIN_STRING = re.compile(
    r"""(["'])(?:(?!\1)[^\\\n\r]|\\(?:[^ux0-9\n\r]|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}))*+\1"""
)
_TEMPLATE = re.compile(r"`(?:[^`\\$]|\$(?!\{)|\\(?:[^ux0-9]|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}))*+`")
_LONG_STRING = 1024
#: A key that is `__proto__` is a prototype in a literal and a plain property in JSON. It may be
#: spelt with escapes of any of its letters.
_PROTO_ESCAPE = re.compile(r"\\u00(?:5[fF]|7[024]|6[fF])")


@dataclass(frozen=True, slots=True)
class Literal:
    """A stretch of data between two byte offsets."""

    start: int
    end: int
    kind: str  # "json", "object" (other notation), "string", "template"

    @property
    def json(self) -> bool:
        """It is a JSON text of the same meaning."""
        return self.kind == "json"

    @property
    def proven(self) -> bool:
        """Well-formed beyond doubt: V8 need not see it to judge the rest."""
        return self.kind in {"json", "string", "template"}


def find_literals(text: str, smallest: int = SMALLEST) -> list[Literal]:
    """The largest literals that are pure data and have at least this many bytes."""
    found: list[Literal] = []
    scan = _json_scanner()
    position = 0
    while True:
        match = _START.search(text, position)
        if match is None:
            return found
        start = match.end()
        if text[start] in "\"'`":
            position = _string(text, start, max(smallest, _LONG_STRING), found)
            continue
        end = _json_end(scan, text, start)
        if end is not None:
            if end - start >= smallest:
                found.append(_judged(text, start, end))
            position = end
            continue
        run = _RUN.match(text, start)
        position = max(run.end() if run else start, start + 1)
        if position - start >= smallest:
            for left, right in _containers(text, start, position, smallest):
                if _json_end(scan, text, left) == right:
                    found.append(_judged(text, left, right))
                else:
                    found.append(Literal(left, right, "object"))


def _string(text: str, start: int, smallest: int, found: list[Literal]) -> int:
    template = text[start] == "`"
    match = (_TEMPLATE if template else _PLAIN_STRING).match(text, start)
    if match is None:
        return start + 1
    if match.end() - start >= smallest:
        found.append(Literal(start, match.end(), "template" if template else "string"))
    return match.end()


def _containers(text: str, start: int, end: int, smallest: int) -> Iterator[tuple[int, int]]:
    """The outermost brackets of a run that are closed within it, and large enough."""
    stack: list[tuple[str, int, int]] = []
    done: list[tuple[int, int]] = []
    for match in _BRACKET.finditer(text, start, end):
        mark = match[0]
        if mark in "[{":
            stack.append((mark, match.start(), len(done)))
        elif mark in _CLOSES:
            if not stack or stack[-1][0] != _CLOSES[mark]:
                break
            _, opened, before = stack.pop()
            if match.end() - opened >= smallest:
                del done[before:]
                done.append((opened, match.end()))
    return iter(done)


def _judged(text: str, start: int, end: int) -> Literal:
    """A JSON text, if it means the same as the literal; with a primitive value in it, so that it
    can be no assignment pattern."""
    proto = text.find("__proto__", start, end) >= 0 or (
        text.find("\\u00", start, end) >= 0 and _PROTO_ESCAPE.search(text, start, end) is not None
    )
    if proto or not _HOLDS_VALUE.search(text, start, end):
        return Literal(start, end, "object")
    return Literal(start, end, "json")


#: A value that cannot stand in a pattern: after a colon, comma or bracket, and not a key.
_HOLDS_VALUE = re.compile(r'[\[:,]\s*+(?:[\dtfn-]|"(?:[^"\\]|\\.)*+"(?!\s*+:))')


def _json_scanner() -> Any:
    """The C scanner of the standard library, made to keep nothing of what it reads.

    Containers and numbers come out as small integers; it accepts exactly JSON, because the
    constants Python adds are refused.
    """

    def refuse(_name: str) -> None:
        raise ValueError

    return json.scanner.c_make_scanner(  # type: ignore[attr-defined]
        SimpleNamespace(
            strict=True,
            object_hook=None,
            object_pairs_hook=len,
            parse_float=len,
            parse_int=len,
            parse_constant=refuse,
            memo={},
        )
    )


def _json_end(scan: Any, text: str, start: int) -> int | None:
    """Where the JSON text that begins here ends; None when it is none."""
    try:
        end = scan(text, start)[1]
    except (ValueError, StopIteration, RecursionError):
        return None
    return int(end)

"""Embedded data: literals that hold nothing but data.

They are taken out before the text is analysed, so that the tree has only code. This module does
not decide whether a piece of text really is an expression: `analysis` proves it for each
candidate by the place of its replacement in the tree.

Every part of the text is read a fixed number of times, whatever it holds: no attempt starts
inside a part that a failed attempt has read.
"""

from __future__ import annotations

import json
import json.scanner
import re
from types import SimpleNamespace
from typing import Any, NamedTuple

from holdfast.model.patterns import loop

#: Literals smaller than this are left to the parser.
SMALLEST = 128
#: A text below this size is not searched: it would gain nothing.
WORTHWHILE = 16 * 1024

#: A place where an expression may begin, and the beginning of a literal.
_START = re.compile(r"""(?:[=(,:\[?]|\breturn\b(?=[ \t]*+[\[{"'`]))\s*+(?=[\[{"'`])""")
_COMMENT = r"//[^\n\r]*+|/\*" + loop("[^*]", r"\*(?!/)") + r"\*/"
_ESCAPED = r"\\(?:\r\n|[\s\S])"
_DOUBLE = '"' + loop(r'[^"\\\n\r]', _ESCAPED) + '"'
_SINGLE = "'" + loop(r"[^'\\\n\r]", _ESCAPED) + "'"
#: The longest run of tokens that may be in literals. Keys are the only names among them.
_RUN = re.compile(
    loop(
        r"[\s\[\]{},:]++",
        _DOUBLE,
        _SINGLE,
        r"-?(?:\d[\w.]*+(?:(?<=[eE])[+-]\d++)?|\.\d\w*+)",
        r"(?:true|false|null)\b(?!\$)",
        r"[A-Za-z_$\x80-\xff][\w$\x80-\xff]*+(?=\s*+:)",
        _COMMENT,
    ),
    re.ASCII,
)
_BRACKET = re.compile(rf"[\[\]{{}}]|{_DOUBLE}|{_SINGLE}|{_COMMENT}")
_CLOSES = {"]": "[", "}": "{"}
#: Strings whose escapes are certainly valid, so that they may be shortened for V8's check.
_NUMBERED = "u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}"
_PLAIN_STRING = re.compile(
    r"""(["'])""" + loop(r"(?!\1)[^\\\n\r]", rf"\\(?:[^ux0-9\n\r]|{_NUMBERED})") + r"\1"
)
_TEMPLATE = re.compile("`" + loop(r"[^`\\$]", r"\$(?!\{)", rf"\\(?:[^ux0-9]|{_NUMBERED})") + "`")
_LONG_STRING = 1024
#: A key that is `__proto__` is a prototype in a literal and a plain property in JSON. It may be
#: spelt with escapes of any of its letters.
_PROTO_ESCAPE = re.compile(r"\\u00(?:5[fF]|7[024]|6[fF])")


_JSON_START = re.compile(r'\{[ \t\r\n]*+["}]|\[[ \t\r\n]*+["{\[\]\dtfn-]')
#: Sizes of the first and the last window of an attempt. A number or word may be cut off at the end
#: of a window; so many bytes there are not trusted.
_WINDOW = 4 * 1024
_LARGEST_WINDOW = 1 << 20
_MARGIN = 512
TOO_DEEP = -1


class Literal(NamedTuple):
    """A literal between two byte offsets."""

    start: int
    end: int
    kind: str  # "json", "object" (other notation), "string", "template"
    #: JSON texts within an `object`, each a value of it.
    parts: tuple[Literal, ...] = ()

    @property
    def json(self) -> bool:
        """Whether it is a JSON text with the same meaning."""
        return self.kind == "json"

    @property
    def proven(self) -> bool:
        """Whether it is certainly well-formed, so that V8 need not see it."""
        return self.kind in {"json", "string", "template"}


def find_literals(text: str, smallest: int = SMALLEST) -> list[Literal]:
    """The outermost literals that are pure data and have at least this many bytes."""
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
        end, _ = _json_end(scan, text, start)
        if end is not None:
            if end - start >= smallest:
                found.append(_judged(text, start, end))
            position = end
            continue
        run = _RUN.match(text, start)
        position = max(run.end() if run else start, start + 1)
        if position - start >= smallest:
            boxes = _boxes(text, start, position, smallest)
            found += [_resolved(scan, text, box) for box in boxes]


def _string(text: str, start: int, smallest: int, found: list[Literal]) -> int:
    template = text[start] == "`"
    match = (_TEMPLATE if template else _PLAIN_STRING).match(text, start)
    if match is None:
        return start + 1
    if match.end() - start >= smallest:
        found.append(Literal(start, match.end(), "template" if template else "string"))
    return match.end()


class _Box(NamedTuple):
    """A closed pair of brackets, and the large ones in it. `value`: it stands in the place of a
    value, not of a computed key."""

    start: int
    end: int
    value: bool
    children: list[_Box]


def _boxes(text: str, start: int, end: int, smallest: int) -> list[_Box]:
    """The outermost brackets of a run that are closed within it, and large enough."""
    stack: list[tuple[str, int, list[_Box]]] = []
    done: list[_Box] = []
    for match in _BRACKET.finditer(text, start, end):
        mark = match[0]
        if mark in "[{":
            stack.append((mark, match.start(), done))
            done = []
        elif mark in _CLOSES:
            if not stack or stack[-1][0] != _CLOSES[mark]:
                break
            _, opened, around = stack.pop()
            if match.end() - opened >= smallest:
                value = _is_value(text, opened, start, stack[-1][0] if stack else "")
                done = [_Box(opened, match.end(), value, done)]
            around += done
            done = around
    # What is still open encloses the rest.
    while stack:
        _, _, around = stack.pop()
        around += done
        done = around
    return done


def _is_value(text: str, opened: int, start: int, around: str) -> bool:
    before = opened - 1
    while before >= start and text[before] in " \t\r\n":
        before -= 1
    return text[before] == ":" or (around == "[" and text[before] in "[,")


def _resolved(scan: Any, text: str, box: _Box) -> Literal:
    """The literal of a bracket: JSON, or another notation with JSON inside.

    An attempt that fails at a place has shown two things: everything closed before it is JSON, and
    everything still open there is not. So nothing is scanned twice.
    """
    end, wrong = _json_end(scan, text, box.start)
    if end == box.end:
        return _judged(text, box.start, box.end)
    parts: list[Literal] = []
    work = [(child, wrong) for child in reversed(box.children)] if wrong != TOO_DEEP else []
    while work:
        item, wrong = work.pop()
        if not item.value:
            continue
        if item.start >= wrong:
            end, wrong = _json_end(scan, text, item.start)
            wrong = item.end if end == item.end else wrong
            if wrong == TOO_DEEP:
                continue
        if item.end > wrong:
            work += [(child, wrong) for child in reversed(item.children)]
            continue
        part = _judged(text, item.start, item.end)
        if part.json:
            parts.append(part)
    return Literal(box.start, box.end, "object", tuple(parts))


def _judged(text: str, start: int, end: int) -> Literal:
    """The literal as JSON, if it means the same. It must hold a primitive value, so that it cannot
    be an assignment pattern."""
    proto = text.find("__proto__", start, end) >= 0 or (
        text.find("\\u00", start, end) >= 0 and _PROTO_ESCAPE.search(text, start, end) is not None
    )
    if proto or not _HOLDS_VALUE.search(text, start, end):
        return Literal(start, end, "object")
    return Literal(start, end, "json")


#: A value that cannot be part of a pattern: after a colon, comma or bracket, and not a key.
_HOLDS_VALUE = re.compile(r'[\[:,]\s*+(?:[\dtfn-]|"' + loop(r'[^"\\]', r"\\.") + r'"(?!\s*+:))')


def _json_scanner() -> Any:
    """The C scanner of the standard library, set up so that it keeps nothing of what it reads.

    Containers and numbers become small integers. It accepts exactly JSON, because the constants
    that Python adds are refused.
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


def _json_end(scan: Any, text: str, start: int) -> tuple[int | None, int]:
    """The end of the JSON text that begins here, or None; and how far it is JSON.

    The second number is TOO_DEEP if that cannot be known. Python's error counts the lines before
    it; the growing window keeps that cost in proportion to what was read.
    """
    if not _JSON_START.match(text, start):
        return None, start + 1
    size = _WINDOW
    while start + size < len(text) and size <= _LARGEST_WINDOW:
        end, wrong = _scanned(scan, text[start : start + size], 0)
        if end is not None:
            return start + end, start + end
        if wrong == TOO_DEEP:
            return None, TOO_DEEP
        if wrong < size - _MARGIN:
            return None, start + wrong
        size *= 16
    return _scanned(scan, text, start)


def _scanned(scan: Any, text: str, start: int) -> tuple[int | None, int]:
    try:
        end = int(scan(text, start)[1])
    except json.JSONDecodeError as error:
        # A string without an end may just be cut off by the window.
        return None, len(text) if error.msg.startswith("Unterminated") else error.pos
    except StopIteration as stop:
        return None, int(stop.value)
    except RecursionError:
        return None, TOO_DEEP
    except ValueError:
        return None, start
    return end, end

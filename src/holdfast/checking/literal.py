"""A literal of job code as items of a collection: its elements, its members or pieces of its text.

Values are kept as they are written where that is JSON already, so that no digit is lost. Pure.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple, TypeGuard

from holdfast.model.patterns import loop

#: Characters of one value that a collection takes, and of a piece of a long text.
_MOST, _PIECE = 1_000_000, 500_000
#: Members by which people tell the elements of a list apart.
_KEYS = ("id", "key", "code", "uuid")
_LONGEST_KEY = 255
#: Digits of a number that JavaScript takes as it is written.
_EXACT = 15
_ESCAPED = r"\\(?:\r\n|[\s\S])"
_DOUBLE = '"' + loop(r'[^"\\\n\r]', _ESCAPED) + '"'
_SINGLE = "'" + loop(r"[^'\\\n\r]", _ESCAPED) + "'"
_COMMENT = r"//[^\n\r]*+|/\*" + loop(r"[^*]", r"\*(?!/)") + r"\*/"
_TOKEN = re.compile(
    rf"(?P<space>[\s\ufeff]++|{_COMMENT})"
    rf"|(?P<string>{_DOUBLE}|{_SINGLE})"
    r"|(?P<number>-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.$]))"
    r"|(?P<word>[A-Za-z_$][\w$]*)"
    r"|(?P<mark>[\[\]{},:])"
)
_COLON = re.compile(loop(r"\s", _COMMENT) + ":")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(\r\n|[\s\S]))")
_OCTAL = re.compile(r"\\0\d")
_MEANT = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
_LINE_ENDS = frozenset(("\n", "\r", "\r\n", "\u2028", "\u2029"))
_CONSTANTS = frozenset(("true", "false", "null"))
#: NUL and halves of characters: no store takes them in a key.
_UNSTORED = re.compile("[\0\ud800-\udfff]")
_SPACE = re.compile(r"[ \t\r\n]*")
_SCAN = json.JSONDecoder().raw_decode


class UnmovableError(Exception):
    """Why the literal cannot be moved, in words."""


class Items(NamedTuple):
    """`kind`: `list`, `map` or `text`. `pairs`: key and value, which is JSON."""

    kind: str
    pairs: list[tuple[str, str]]


def items_of(literal: str) -> Items:
    """Raises UnmovableError."""
    try:
        if literal[0] == "`":
            return _pieces(_text(literal[1:-1].replace("\r\n", "\n").replace("\r", "\n")))
        if literal[0] in "\"'":
            return _pieces(_text(literal[1:-1]))
        found = _members(_as_json(literal))
    except (ValueError, RecursionError) as error:
        message = "it is written in a way that is not understood here"
        raise UnmovableError(message) from error
    return found


def _pieces(text: str) -> Items:
    parts = [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]
    pairs = [(f"{number:04}", json.dumps(part)) for number, part in enumerate(parts, 1)]
    return Items("text", pairs)


def _as_json(literal: str) -> str:
    """The literal in JSON: that of JavaScript has other quotes, bare names and comments."""
    try:
        json.loads(literal, parse_constant=_refuse, object_pairs_hook=_refuse_proto)
    except ValueError:
        literal = "".join(_tokens(literal))
        json.loads(literal, parse_constant=_refuse, object_pairs_hook=_refuse_proto)
    return literal


def _refuse_proto(pairs: list[tuple[str, Any]]) -> None:
    if any(key == "__proto__" for key, _ in pairs):
        message = "its __proto__ means something else in JSON"
        raise ValueError(message)


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _tokens(literal: str) -> list[str]:
    """In JSON. What is wrong with them, a JSON parser finds."""
    found: list[str] = []
    at = 0
    while at < len(literal):
        match = _TOKEN.match(literal, at)
        if match is None:
            message = f"character {at}"
            raise ValueError(message)
        at, kind, text = match.end(), match.lastgroup, match[0]
        if kind == "string":
            found.append(json.dumps(_text(text[1:-1])))
        elif (kind == "word" and text not in _CONSTANTS) or (kind == "number" and text.isdigit()):
            named = _COLON.match(literal, at) is not None
            wrong = named and len(text) > _EXACT if kind == "number" else not named
            if wrong:
                message = f"the name {text}"
                raise ValueError(message)
            found.append(json.dumps(text) if named else text)
        elif kind == "mark" and text in "]}" and found and found[-1] == ",":
            found[-1] = text
        elif kind != "space":
            found.append(text)
    return found


def _text(inner: str) -> str:
    """What a string between its quotes means. Raises ValueError."""
    if "\\" not in inner:
        return inner

    def meant(match: re.Match[str]) -> str:
        code = match[1] or match[2]
        if code:
            return chr(int(code, 16))
        letter = match[3]
        if letter in _LINE_ENDS:
            return ""
        if letter in "ux123456789" or _OCTAL.match(inner, match.start()):
            raise ValueError(letter)
        return _MEANT.get(letter, letter)

    text = _ESCAPE.sub(meant, inner)
    # two halves of one character come together; a half alone cannot be stored
    return text.encode("utf-16", "surrogatepass").decode("utf-16")


def _members(text: str) -> Items:
    """The elements or members of a JSON text."""
    named = text[0] == "{"
    pairs: list[tuple[str, str]] = []
    values: list[Any] = []
    at = _after_space(text, 1)
    while text[at] not in "]}":
        key = ""
        if named:
            key, at = _SCAN(text, at)
            at = _after_space(text, _after_space(text, at) + 1)
        value, end = _SCAN(text, at)
        if end - at > _MOST:
            message = f"one of its values has more than {_MOST:,} characters"
            raise UnmovableError(message)
        pairs.append((key, text[at:end]))
        values.append(value)
        at = _after_space(text, end)
        if text[at] == ",":
            at = _after_space(text, at + 1)
    if named:
        return Items("map", _checked([*dict(pairs).items()]))
    keys = _keys_of(values)
    return Items("list", [(key, value) for key, (_, value) in zip(keys, pairs, strict=True)])


def _checked(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    if not all(_is_key(key) for key, _ in pairs):
        message = "a key is empty, longer than 255 characters, or no text that can be stored"
        raise UnmovableError(message)
    return pairs


def _is_key(key: object) -> TypeGuard[str]:
    """Whether a collection takes it."""
    return isinstance(key, str) and 0 < len(key) <= _LONGEST_KEY and _UNSTORED.search(key) is None


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _keys_of(values: list[Any]) -> list[str]:
    """What the elements call themselves, if all do and differ; else their numbers."""
    for name in _KEYS:
        keys = [value.get(name) if isinstance(value, dict) else None for value in values]
        good = [key for key in keys if _is_key(key)]
        if len(set(good)) == len(values):
            return good
    width = len(str(len(values)))
    return [f"{number:0{width}}" for number in range(1, len(values) + 1)]

"""The worker's command line, read by the rules of the reference's parser. Pure.

Aliases, `--camelCase`, `--name=value`, `-p2222`, `--no-loop`, `--loop=false`, lists that take
several words, words that are no flags. Where that parser makes something of a mistake that nobody
can mean (a text flag without a value is `true` there, a repeated one a list), this says so or
takes the last value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from holdfast.model.errors import UsageError
from holdfast.worker.options import OPTIONS, Option

_NEGATIVE_NUMBER = re.compile(r"-[0-9.]")
_NUMBER = re.compile(
    r"0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
)


@dataclass
class Arguments:
    """What a command line says: texts by field, and words that stand alone."""

    values: dict[str, str] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)

    def over(self, environment: Mapping[str, str]) -> dict[str, str]:
        """The environment with these flags; they win, but for a number 0 over a set variable."""
        merged = dict(environment)
        for option in OPTIONS:
            text = self.values.get(option.field)
            if text is None:
                continue
            if option.is_number and _is_zero(text) and merged.get(option.variable):
                continue
            merged[option.variable] = text
        return merged


def parse(tokens: Iterable[str]) -> Arguments:
    """Read a command line. UsageError for a flag that is unknown or lacks its value."""
    found, rest = Arguments(), list(tokens)
    while rest:
        word = rest.pop(0)
        if word == "--":
            found.words += rest
            break
        if not _is_flag(word):
            found.words.append(word)
            continue
        name, value = _split(word)
        option = _BY_NAME.get(name)
        if option is not None:
            _take(found, option, name, value, rest)
        elif (negated := _BY_NAME.get(_without_no(name))) is not None and negated.is_switch:
            found.values[negated.field] = "false"
        else:
            message = f"There is no option {name}."
            raise UsageError(message, fix=_suggestion(name))
    return found


def _take(found: Arguments, option: Option, name: str, value: str | None, rest: list[str]) -> None:
    if option.is_switch:
        if value is None and rest and rest[0] in ("true", "false"):
            value = rest.pop(0)
        found.values[option.field] = "true" if value in (None, "true") else "false"
        return
    if option.is_list:
        items = [] if value is None else [value]
        while rest and not _is_flag(rest[0]):
            items.append(rest.pop(0))
        before = found.values.get(option.field)
        found.values[option.field] = ",".join([before, *items] if before else items)
        return
    if value is None and rest and not _is_flag(rest[0]):
        value = rest.pop(0)
    if value is None:
        if option.is_number:
            return  # as if it had not been given
        message = f"{name} needs a value: {option.help}"
        raise UsageError(message, fix=f"Write {name}=VALUE.")
    found.values[option.field] = _plain_number(value) if option.is_number else value


def _split(word: str) -> tuple[str, str | None]:
    """Flag and value: `--port=1`, `-p=1`, `-p1`."""
    if word.startswith("--") or word[2:3] == "=":
        name, equals, value = word.partition("=")
        return _kebab(name), value if equals else None
    return word[:2], word[2:] or None


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda found: f"-{found[0].lower()}", name)


def _without_no(name: str) -> str:
    return "--" + name[5:] if name.startswith("--no-") else ""


def _is_flag(word: str) -> bool:
    return len(word) > 1 and word[0] == "-" and not _NEGATIVE_NUMBER.match(word)


def _plain_number(text: str) -> str:
    """A number as JavaScript reads it, in digits; what is none stays as it is."""
    stripped = text.strip()
    if not stripped:
        return "0"
    if not _NUMBER.fullmatch(stripped):
        return text
    if stripped[:2].lower() in ("0x", "0b", "0o"):
        return str(int(stripped, 0))
    value = float(stripped)
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _is_zero(text: str) -> bool:
    return re.fullmatch(r"-?0+(\.0*)?", text) is not None


def _suggestion(name: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only for a mistake

    near = get_close_matches(name, _BY_NAME, n=1)
    known = f"Did you mean {near[0]}? " if near else ""
    return f"{known}`holdfast worker --help` lists all options."


_BY_NAME = {name: option for option in OPTIONS for name in option.names}

"""Functions of a declaration file with the comments before them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from holdfast.adaptors.declared import Declared, Parameter

_FUNCTION = re.compile(r"\s{0,99}export (?:declare )?function (?P<name>\w+)(?:<[^(]{0,999}>)?\(")
_MARGIN = re.compile(r"^[ \t]*\*? ?", re.MULTILINE)
_TAG = re.compile(r"^@(\w+)[ \t]*", re.MULTILINE)
_PARAM = re.compile(r"(?:\{(?P<kind>[^}]*)\}\s*)?\[?(?P<name>[\w.]+)[^\s\]]*\]?\s*(?:-\s*)?")
_OPEN, _CLOSED = "([{<", ")]}>"


def functions(text: str) -> Iterator[tuple[Declared, str]]:
    """Each documented function, and its comment. Time grows with the text's length only."""
    end = 0
    while (start := text.find("/**", end)) >= 0:
        close = text.find("*/", start + 3)
        if close < 0:
            return
        end = close + 2
        found = _FUNCTION.match(text, end)
        if found is None:
            continue
        comment = _MARGIN.sub("", text[start + 3 : close]).strip()
        about, examples, description = _tags(comment)
        parameters = tuple(
            _parameter(part, about) for part in _split(_arguments(text, found.end())) if part
        )
        yield Declared(found["name"], parameters, description, tuple(examples)), comment


def _tags(comment: str) -> tuple[dict[str, tuple[str, str]], list[str], str]:
    """Kind and words of each parameter, examples, and what is said before them."""
    parts = _TAG.split(comment)
    about: dict[str, tuple[str, str]] = {}
    examples = []
    for tag, words in zip(parts[1::2], parts[2::2], strict=True):
        if tag == "example":
            examples.append(words.strip())
        elif tag == "param" and (found := _PARAM.match(words)) is not None:
            said = " ".join(words[found.end() :].split())
            about.setdefault(found["name"], (found["kind"] or "", said))
    return about, examples, parts[0].strip()


def _parameter(part: str, about: dict[str, tuple[str, str]]) -> Parameter:
    written, _, kind = part.partition(":")
    rest = written.startswith("...")
    name = written.removeprefix("...").rstrip("? ")
    told, words = about.get(name, ("", ""))
    optional = written.rstrip().endswith("?")
    return Parameter(name, told or kind.strip(), words, optional=optional, rest=rest)


def _arguments(text: str, start: int) -> str:
    """From behind the opening parenthesis to its end."""
    depth = 1
    for place in range(start, min(len(text), start + 4000)):
        if text[place] in _OPEN:
            depth += 1
        elif text[place] in _CLOSED and text[place - 1] != "=":  # `=>` closes nothing
            depth -= 1
            if depth == 0:
                return text[start:place]
    return ""


def _split(arguments: str) -> list[str]:
    """At the commas that stand in no bracket."""
    parts, depth = [""], 0
    for place, letter in enumerate(arguments):
        if letter in _OPEN:
            depth += 1
        elif letter in _CLOSED and arguments[place - 1 : place] != "=":
            depth -= 1
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]

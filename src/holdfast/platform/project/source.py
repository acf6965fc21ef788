"""A YAML file read with positions, so that every problem names its line.

Problems are collected, so that an author sees all of them at once.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from holdfast.model.errors import HoldfastError
from holdfast.model.json import Json
from holdfast.platform.project.loader import SafeLoader
from holdfast.platform.project.model import egress_problem

_TAG = "tag:yaml.org,2002:"
_NUMBERS_AND_FLAGS = {f"{_TAG}int", f"{_TAG}float", f"{_TAG}bool"}
_MOST_PROBLEMS = 20
#: Of a number: what 64 bits hold.
_MOST_DIGITS = 18


class ProjectFileError(HoldfastError):
    """The project file has problems; each is one line `file:line: what`."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong, and where. Lines count from 1."""

    file: str
    line: int
    text: str


class Source:
    """A YAML file, or several that belong together, and the problems found in them."""

    def __init__(self, text: str, path: Path) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.root = self.another(text, path)

    def another(self, text: str, path: Path) -> Node | None:
        """The content of a file; every node of it knows the file."""
        try:
            loader = SafeLoader(text)
            loader.name = str(path)
            node: Node | None = loader.get_single_node()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            what = error.problem or "this is not YAML"
            context = f" {error.context}," if error.context else ""
            self.problems.append(
                Problem(str(path), mark.line + 1 if mark else 1, f"broken YAML:{context} {what}")
            )
        except (yaml.YAMLError, ValueError) as error:
            one_line = " ".join(str(error).split())
            self.problems.append(Problem(str(path), 1, f"broken YAML: {one_line}"))
        else:
            return node
        return None

    def add(self, node: Node | None, text: str) -> None:
        line = node.start_mark.line + 1 if node else 1
        self.problems.append(Problem(self.file_of(node), line, text))

    def file_of(self, node: Node | None) -> str:
        """Where a node stands."""
        return str(node.start_mark.name) if node else str(self.path)

    def check(self) -> None:
        """Raise what was found. Raises ProjectFileError."""
        if not self.problems:
            return
        ordered = sorted(self.problems, key=lambda problem: (problem.file, problem.line))
        lines = [f"{problem.file}:{problem.line}: {problem.text}" for problem in ordered]
        if (more := len(lines) - _MOST_PROBLEMS) > 0:
            lines[_MOST_PROBLEMS:] = [f"… and {more} more"]
        raise ProjectFileError("\n".join(lines))

    # Each reader takes the node (None: absent) and what to call it in a problem.

    def mapping(
        self, node: Node | None, what: str, known: Iterable[str] | None = None
    ) -> dict[str, Node]:
        """Members by name. With `known`, other names are problems."""
        if node is None or _is_null(node):
            return {}
        if not isinstance(node, MappingNode):
            self.add(node, f"{what} must be a map of names to values")
            return {}
        found: dict[str, Node] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self.add(key, f"{what}: a name must be plain text")
            elif key.value in found:
                self.add(key, f"{what}: {key.value!r} is here twice")
            elif known is not None and key.value not in known:
                self.add(key, f"{what}: {key.value!r} is not known{_nearest(key.value, known)}")
            else:
                found[key.value] = value
        return found

    def items(self, node: Node | None, what: str) -> Iterator[Node]:
        if node is None or _is_null(node):
            return
        if not isinstance(node, SequenceNode):
            self.add(node, f"{what} must be a list")
            return
        yield from node.value

    def text(self, node: Node | None, what: str) -> str | None:
        """Any plain value, as its text in the file."""
        if node is None or _is_null(node):
            return None
        if not isinstance(node, ScalarNode):
            self.add(node, f"{what} must be text")
            return None
        return str(node.value)

    def needed(self, within: Node | None, node: Node | None, what: str) -> str:
        """Text that must be there and not empty."""
        value = self.text(node, what)
        if not value and not any(p.text.startswith(what) for p in self.problems[-1:]):
            self.add(node or within, f"{what} is missing")
        return value or ""

    def choice(self, node: Node | None, what: str, choices: Iterable[str]) -> str | None:
        value = self.text(node, what)
        if value is not None and value not in choices:
            self.add(node, f"{what} must be one of {', '.join(choices)}, not {value!r}")
        return value

    def flag(self, node: Node | None, what: str, *, default: bool) -> bool:
        if node is None or _is_null(node):
            return default
        if node.tag != f"{_TAG}bool":
            self.add(node, f"{what} must be true or false")
            return default
        return str(node.value).lower() in {"true", "yes", "on"}

    def number(self, node: Node | None, what: str) -> int | None:
        if node is None or _is_null(node):
            return None
        if node.tag != f"{_TAG}int" or not str(node.value).isdecimal():
            self.add(node, f"{what} must be a whole number")
            return None
        if len(node.value) > _MOST_DIGITS:
            self.add(node, f"{what} has more than {_MOST_DIGITS} digits")
            return None
        return int(node.value)

    def plain(self, node: Node | None) -> Json:
        """Any value as JSON has it; times are kept as they are written."""
        if node is None or _is_null(node):
            return None
        if isinstance(node, MappingNode):
            return {str(key.value): self.plain(value) for key, value in node.value}
        if isinstance(node, SequenceNode):
            return [self.plain(item) for item in node.value]
        if node.tag in _NUMBERS_AND_FLAGS:
            return self._constructed(node)
        return str(node.value)

    def _constructed(self, node: Node) -> Json:
        """A number or a flag. Python reads and writes no number of thousands of digits."""
        try:
            value: Json = SafeLoader("").construct_object(node)
        except (ValueError, LookupError):
            self.add(node, f"{node.value!s:.20} is too long, or no {node.tag.split(':')[-1]}")
            return None
        if isinstance(value, int) and abs(value) >= 10**_MOST_DIGITS:
            self.add(node, f"a number has more than {_MOST_DIGITS} digits")
            return None
        return value

    def body(self, node: Node | None, what: str) -> str:
        """Code: the text itself, or `path: ./file.js` beside the project file."""
        if not isinstance(node, MappingNode):
            return self.text(node, what) or ""
        members = self.mapping(node, what, ("path",))
        name = self.needed(node, members.get("path"), f"{what}: path")
        if not name:
            return ""
        return self.beside(members["path"], name, what)

    def beside(self, node: Node, name: str, what: str) -> str:
        """The text of a file that another one names, from where that lies."""
        try:
            return (Path(self.file_of(node)).parent / name).read_bytes().decode()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            self.add(node, f"{what}: cannot read {name}: {reason}")
            return ""


class TextAlone(Source):
    """A text alone, which somebody sent: its code is in it, and no file is read."""

    def beside(self, node: Node, name: str, what: str) -> str:
        self.add(node, f"{what}: code stands in the text here, not in a file")
        return ""


def _is_null(node: Node) -> bool:
    return bool(node.tag == f"{_TAG}null")


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def egress(source: Source, node: Node | None, what: str) -> str | None:
    """What a workflow may reach, checked as the worker will read it."""
    text = source.text(node, what)
    if text is not None and (problem := egress_problem(text)):
        source.add(node, f"{what}: {problem}")
    return text

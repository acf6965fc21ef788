"""Reads a job: makes its tree without the embedded data, and proves that this was right."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from holdfast.compiler import embedded
from holdfast.compiler.embedded import Literal
from holdfast.compiler.repair import read_soundly
from holdfast.compiler.source import Source
from holdfast.compiler.tree import Node, TooCostlyError, outer, walk

#: Where the name that replaces a literal may stand: only in places of expressions.
_EXPRESSION_PLACES: dict[str, set[str | None]] = {
    "variable_declarator": {"value"},
    "assignment_expression": {"right"},
    "augmented_assignment_expression": {"right"},
    "assignment_pattern": {"right"},
    "object_assignment_pattern": {"right"},
    "pair": {"value"},
    "field_definition": {"value"},
    "ternary_expression": {"consequence", "alternative"},
    "member_expression": {"object"},
    "subscript_expression": {"object", "index"},
    "binary_expression": {"left"},
    "arguments": {None},
    "array": {None},
    "return_statement": {None},
    "sequence_expression": {None},
}
UNREADABLE = "the structure of this text cannot be read"
#: A text up to this size that seems broken is parsed again with its data, so that V8 checks the
#: author's own text.
SECOND_LOOK = 4 * 1024 * 1024


class Reading(NamedTuple):
    """The result for a text. `root` is None if no sound tree could be made."""

    root: Node | None
    literals: Sequence[Literal] = ()
    #: The nodes that replace the literals, in the order of the literals.
    nodes: Sequence[Node] = ()
    trouble: str | None = None


def read(source: Source, *, smallest: int | None = None) -> Reading:
    """The tree of a text. `smallest`: literals of this size or larger are taken out."""
    text = source.text
    literals: list[Literal] = []
    if smallest is not None:
        literals = embedded.find_literals(text, smallest)
    elif len(text) >= embedded.WORTHWHILE:
        literals = embedded.find_literals(text)
    prefix = _unused_prefix(text)
    try:
        for remaining in (2, 1, 0):
            reading, refused = _attempt(text, literals, prefix)
            if not refused:
                break
            literals = [item for item in literals if item not in refused] if remaining > 1 else []
        if reading.root is None and literals and len(text) <= SECOND_LOOK:
            reading, _ = _attempt(text, [], prefix)
        return reading
    except TooCostlyError:
        return Reading(None, trouble="this text cannot be read: it is too deeply broken")


def _attempt(text: str, literals: list[Literal], prefix: str) -> tuple[Reading, set[Literal]]:
    copy, offsets, shifts = _copy(text, literals, prefix)

    def place(offset: int) -> int:
        index = bisect_right(offsets, offset) - 1
        return offset + shifts[index] if index >= 0 else offset

    names = frozenset(f"{prefix}{index}_".encode() for index in range(len(literals)))
    root, sound = read_soundly(copy, place if literals else None, names)
    if not literals:
        return Reading(root if sound else None, trouble=None if sound else UNREADABLE), set()
    nodes = [node for node in walk(root) if node.type == "embedded"]
    starts = {node.start: node for node in nodes if _is_expression(node)}
    refused = {item for item in literals if item.start not in starts}
    if refused:
        return Reading(None), refused
    kept = [starts[item.start] for item in literals]
    if not sound:
        return Reading(None, literals, kept, UNREADABLE), set()
    return Reading(root, literals, kept), set()


def _copy(text: str, literals: list[Literal], prefix: str) -> tuple[bytes, list[int], list[int]]:
    """The text with a name instead of each literal, and a function that maps offsets back.

    The first byte of such a name maps to the start of its literal, its end to the end.
    """
    parts: list[str] = []
    offsets: list[int] = []
    shifts: list[int] = []
    done = size = 0
    for index, item in enumerate(literals):
        name = f"{prefix}{index}_"
        parts += [text[done : item.start], name]
        size += item.start - done + len(name)
        offsets.append(size)
        shifts.append(item.end - size)
        done = item.end
    parts.append(text[done:])
    return "".join(parts).encode("latin-1"), offsets, shifts


def _is_expression(node: Node) -> bool:
    whole = outer(node)
    parent = whole.parent
    if parent is None or whole is not node:
        return parent is not None
    places = _EXPRESSION_PLACES.get(parent.type)
    return places is not None and whole.field in places


def _unused_prefix(text: str) -> str:
    longest = max((len(match[0]) for match in re.finditer("_data_*+", text)), default=0)
    return "_data".ljust(longest + 1, "_") if longest else "_data"

"""The calls of plain names in a job, with how many arguments each has."""

from __future__ import annotations

from typing import NamedTuple

from holdfast.compiler.analysis import read
from holdfast.compiler.source import Source
from holdfast.compiler.tree import bare, name_of, walk


class Call(NamedTuple):
    """One call; `arguments` is None where a spread hides their number."""

    name: str
    arguments: int | None
    line: int
    column: int


def calls(text: Source) -> list[Call]:
    """Every call of a plain name, in the order of the text; none where it cannot be read."""
    root = read(text).root
    if root is None:
        return []
    found = []
    for node in walk(root):
        if node.type != "call_expression" or not node.children:
            continue
        callee, given = bare(node.children[0]), node.child("arguments")
        if callee.type != "identifier" or given is None or given.type != "arguments":
            continue
        spread = any(child.type == "spread_element" for child in given.children)
        count = None if spread else len(given.children)
        found.append(Call(name_of(callee, text.text), count, *text.position(node.start)))
    return found

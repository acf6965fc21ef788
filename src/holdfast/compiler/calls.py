"""The calls and uses of foreign names in a job."""

from __future__ import annotations

from typing import NamedTuple

from holdfast.compiler.analysis import read
from holdfast.compiler.names import free_names
from holdfast.compiler.scope import Uses
from holdfast.compiler.source import Source
from holdfast.compiler.tree import is_call, outer


class Call(NamedTuple):
    """One call; `arguments` is None where a spread hides their number."""

    name: str
    arguments: int | None
    line: int
    column: int


def calls(text: Source) -> list[Call]:
    """Every call of a plain name that the job does not declare, in the order of the text; none
    where it cannot be read."""
    root = read(text).root
    if root is None:
        return []
    found = []
    for use in Uses(root, text.text).uses:
        callee = outer(use.node)
        node = callee.parent
        given = node.child("arguments") if node is not None else None
        if node is None or given is None or not is_call(node) or callee.field != "function":
            continue
        if use.scope.declares(use.name):
            continue
        spread = any(child.type == "spread_element" for child in given.children)
        count = None if spread else len(given.children)
        found.append(Call(use.name, count, *text.position(node.start)))
    return found


def is_used(name: str, text: Source) -> bool:
    """Whether the job uses a name that it does not declare; so too where it cannot be read."""
    root = read(text).root
    return root is None or name in free_names(Uses(root, text.text).uses)

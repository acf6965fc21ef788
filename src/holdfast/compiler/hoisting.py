"""Large JSON literals leave the module: V8 reads them by JSON.parse, at a quarter of the memory.

The program stays the same under three conditions. The text is strict JSON, and every JSON text is
also a literal of ECMAScript with the same value. It has no key `__proto__`, the only one with two
meanings. The tree proves that it is an expression. In its place stands a call of `data` of the
module `holdfast:data`, which makes a new object each time, as the literal did. `data` uses the
parser of the job's own realm, taken before any code of the job ran, so no job can change it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from holdfast.compiler.analysis import Reading
from holdfast.compiler.edit import Edits, Segment
from holdfast.compiler.embedded import Literal
from holdfast.compiler.job import HoistedData
from holdfast.compiler.source import Source
from holdfast.compiler.tree import FUNCTIONS, Node

#: Literals of at least this many bytes are hoisted.
HOIST_FROM = 32 * 1024
#: Literals of at least this many bytes are shortened for V8's check.
CHECK_FROM = 1024
DATA_MODULE = "holdfast:data"
_REPEATED = FUNCTIONS | {
    "class_body",
    "for_statement",
    "for_in_statement",
    "while_statement",
    "do_statement",
}
_SHORT = {"json": "[0]", "string": '""', "template": "``"}


def hoist(
    reading: Reading,
    source: Source,
    edits: Edits,
    hoist_from: int | None,
    later: Collection[Node] = (),
) -> tuple[list[HoistedData], str | None]:
    """Note the edits; returns the hoisted literals and the name of the function that gives them.

    `later`: nodes in which the compiler put functions; these may be called any number of times.
    """
    if hoist_from is None:
        return [], None
    found: list[HoistedData] = []
    name = "_data"
    while name in source.text:
        name = f"_{name}"
    for whole, node in zip(reading.literals, reading.nodes, strict=True):
        for literal in whole.parts or (whole,):
            if not literal.json or literal.end - literal.start < hoist_from:
                continue
            breaks = "\n" * source.line_ends(literal.start, literal.end)
            edits.replace(literal.start, literal.end, [f"{name}({len(found)}{breaks})"])
            found.append(HoistedData(literal.start, literal.end, _once(node, later)))
    return found, name if found else None


def _once(node: Node, later: Collection[Node]) -> bool:
    """Whether the module evaluates this place once at most."""
    parent = node.parent
    while parent is not None:
        if parent.type in _REPEATED or parent in later:
            return False
        parent = parent.parent
    return True


def shortened(source: Source, literals: Iterable[Literal], smallest: int) -> list[Segment]:
    """The author's text for V8's check; proven literals of this size or larger are shortened."""
    parts: list[Segment] = []
    done = 0
    for literal in (part for item in literals for part in item.parts or (item,)):
        if literal.proven and literal.end - literal.start >= smallest:
            parts += [(done, literal.start), _SHORT[literal.kind]]
            done = literal.end
    if done < len(source) or not parts:
        parts.append((done, len(source)))
    return [part for part in parts if isinstance(part, str) or part[0] < part[1]]

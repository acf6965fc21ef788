"""Large JSON literals leave the module: V8 reads them by JSON.parse, at a quarter of the memory.

When this is the same program: the text is strict JSON, which every JSON text in ECMAScript also
is as a literal, of the same value; it has no `__proto__` key, the one that means two things; it
stands where the tree proves an expression. `data` of the module `holdfast:data` is called where
the literal stood, so it makes a new object each time, as the literal did, and it is the parser of
the job's own realm, taken before any of the job's code ran, so no job can change what it does.
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
    """Note the edits; returns what was hoisted and the name the module calls it by.

    `later`: nodes in which the compiler put functions, which may be called any number of times.
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
    """Whether the module evaluates this place at most once."""
    parent = node.parent
    while parent is not None:
        if parent.type in _REPEATED or parent in later:
            return False
        parent = parent.parent
    return True


def shortened(source: Source, literals: Iterable[Literal], smallest: int) -> list[Segment]:
    """The author's text for V8's check, with proven literals of at least this size made short."""
    parts: list[Segment] = []
    done = 0
    for literal in (part for item in literals for part in item.parts or (item,)):
        if literal.proven and literal.end - literal.start >= smallest:
            parts += [(done, literal.start), _SHORT[literal.kind]]
            done = literal.end
    if done < len(source) or not parts:
        parts.append((done, len(source)))
    return [part for part in parts if isinstance(part, str) or part[0] < part[1]]

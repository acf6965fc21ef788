"""Promise chains: `op(…).then(…)` at operation level becomes one operation.

Rules: `spec/compiler.md` section 5; what is no call is left as written (section 14).
"""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.compiler.edit import Edits, Segment
from holdfast.compiler.source import Source
from holdfast.compiler.tree import (
    FUNCTIONS,
    Node,
    bare,
    is_await,
    is_call,
    is_top_level_object,
    outer,
)

_BARRIERS = FUNCTIONS | {"statement_block", "class_body"}


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain that was rewritten: its outermost call and the operation at its base."""

    call: Node
    operation: Node


def rewrite_chains(
    root: Node, source: Source, edits: Edits, wrapped: set[Node], helper: str
) -> list[Chain]:
    """Note the edits for every chain at operation level; `wrapped` nodes became functions."""
    chains = []
    stack = [root]
    while stack:
        node = stack.pop()
        if node.type in _BARRIERS or node in wrapped or _is_block(node, source.text):
            continue
        if is_top_level_object(node):
            continue
        links = _links(node, source.text)
        if links:
            base = bare(links[-1].children[0].children[0])
            if _is_operation(base, source.text):
                chains.append(Chain(node, base))
                _rewrite(links, source, edits, helper)
                continue
        stack.extend(reversed(node.children))
    return chains


def _is_block(node: Node, text: str) -> bool:
    """`{a: 1}` at the start of a statement is read as an object; it is a block."""
    return (
        node.type == "object"
        and node.parent is not None
        and node.parent.type == "expression_statement"
        and text[node.parent.start] == "{"
    )


def _links(node: Node, text: str) -> list[Node]:
    """The calls of `.then` and `.catch` that make up a chain, outermost first."""
    links = []
    while is_call(node, text) and _link_name(node, text):
        links.append(node)
        node = bare(bare(node.children[0]).children[0])
    return links


def _link_name(call: Node, text: str) -> str | None:
    callee = call.children[0]
    if callee.type == "member_expression":
        name = callee.child("property")
    elif callee.type == "subscript_expression":
        name = callee.child("index")
    else:
        return None
    if name is None or name.type not in {"property_identifier", "identifier"}:
        return None
    word = text[name.start : name.end]
    return word if word in {"then", "catch"} else None


def _is_operation(base: Node, text: str) -> bool:
    return (is_call(base, text) and not is_await(base, text)) or base.type == "new_expression"


def _rewrite(links: list[Node], source: Source, edits: Edits, helper: str) -> None:
    first = links[-1]
    base = outer(bare(first.children[0].children[0]))
    parts: list[Segment] = [f"{helper}(", (base.start, base.end)]
    handler: Node | None = None
    if _link_name(first, source.text) == "catch":
        arguments = first.child("arguments")
        handler = arguments.children[0] if arguments and arguments.children else None
    kept = links[:-1] if handler is not None else links
    if handler is not None:
        # What is dropped leaves its line ends behind; the handler takes its own along.
        breaks = source.line_ends(base.end, handler.start)
        breaks += source.line_ends(handler.end, first.end)
        parts.append("\n" * breaks)
    if kept:
        parts.append(", p => p")
        for link in reversed(kept):
            before = outer(bare(link.children[0].children[0]))
            parts.append((before.end, link.end))
    elif handler is not None:
        parts.append(", undefined")
    if handler is not None:
        parts += [", ", (handler.start, handler.end)]
    parts.append(")")
    edits.replace(links[0].start, links[0].end, parts)

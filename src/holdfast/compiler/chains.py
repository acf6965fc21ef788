"""Promise chains: `op(…).then(…)` at operation level becomes one operation.

Rules: `docs/spec/compiler.md` section 5; links that are not calls stay as they are (section 14).
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

from holdfast.compiler.edit import Edits, Segment
from holdfast.compiler.scope import Use
from holdfast.compiler.source import Source
from holdfast.compiler.tree import (
    FUNCTIONS,
    Node,
    bare,
    in_chain,
    is_call,
    is_top_level_object,
    is_wait,
    walk,
)

_BARRIERS = FUNCTIONS | {"statement_block", "class_body"}


class Chain(NamedTuple):
    """A chain that was rewritten: its outermost call and the operation at its base."""

    call: Node
    operation: Node
    #: Ranges that move into the function `p => …`.
    inside: list[tuple[int, int]]
    #: Ranges that were removed: arguments of a first `.catch` after its handler.
    dropped: tuple[int, int] | None = None


def rewrite_chains(
    root: Node, source: Source, edits: Edits, wrapped: set[Node], helper: str
) -> list[Chain]:
    """Note the edits for each chain at operation level. `wrapped`: nodes that became functions."""
    chains = []
    stack = [root]
    while stack:
        node = stack.pop()
        kind = node.type
        if kind in _BARRIERS or node in wrapped:
            continue
        if kind == "object" and (_is_block(node, source.text) or is_top_level_object(node)):
            continue
        links = _links(node, source.text) if kind == "call_expression" else []
        if links:
            base = bare(_callee(links[-1]).children[0])
            if _is_operation(base):
                chains.append(_rewrite(links, base, source, edits, helper))
                continue
        stack.extend(node.children[::-1])
    return chains


def _is_block(node: Node, text: str) -> bool:
    """Tree-sitter reads `{a: 1}` at the start of a statement as an object, but it is a block."""
    return (
        node.parent is not None
        and node.parent.type == "expression_statement"
        and text[node.parent.start] == "{"
    )


def _links(node: Node, text: str) -> list[Node]:
    """The calls of `.then` and `.catch` in a chain, the outermost first."""
    links = []
    while is_call(node) and _link_name(node, text):
        links.append(node)
        node = bare(_callee(node).children[0])
    return links


def _callee(call: Node) -> Node:
    """The member that a link calls. Parentheses around it change nothing, unless they end an
    optional chain: then they stay, and it is not a link."""
    callee = call.children[0]
    inner = bare(callee)
    return callee if inner is not callee and in_chain(inner) else inner


def _link_name(call: Node, text: str) -> str | None:
    callee = _callee(call)
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


def _is_operation(base: Node) -> bool:
    return is_call(base) or base.type == "new_expression"


def _rewrite(
    links: list[Node], operation: Node, source: Source, edits: Edits, helper: str
) -> Chain:
    first = links[-1]
    base = _callee(first).children[0]
    opening = "\n" * source.line_ends(links[0].start, base.start)
    parts: list[Segment] = [f"{helper}({opening}", (base.start, base.end)]
    handler: Node | None = None
    if _link_name(first, source.text) == "catch":
        arguments = first.child("arguments")
        handler = arguments.children[0] if arguments and arguments.children else None
    kept = links[:-1] if handler is not None else links
    if handler is not None:
        # The line ends of a dropped text stay; those of the handler move with it.
        breaks = source.line_ends(base.end, handler.start)
        breaks += source.line_ends(handler.end, first.end)
        parts.append("\n" * breaks)
    inside: list[tuple[int, int]] = []
    if kept:
        parts.append(", p => p")
        for link in reversed(kept):
            callee, whole = _callee(link), link.children[0]
            if callee is whole:
                ranges: list[tuple[int, int]] = [(callee.children[0].end, link.end)]
                parts += ranges
            else:
                ranges = [(callee.children[0].end, callee.end), (whole.end, link.end)]
                between = "\n" * source.line_ends(callee.end, whole.end)
                parts += [ranges[0], between, ranges[1]]
            inside += ranges
    elif handler is not None:
        parts.append(", undefined")
    if handler is not None:
        parts += [", ", (handler.start, handler.end)]
    parts.append(")")
    edits.replace(links[0].start, links[0].end, parts)
    dropped = (handler.end, first.end) if handler is not None else None
    return Chain(links[0], operation, inside, dropped)


def kept(chains: list[Chain], uses: list[Use]) -> list[Use]:
    """The uses that are left, without those in arguments that chains have dropped."""
    dropped = [chain.dropped for chain in chains if chain.dropped is not None]
    return [use for use in uses if not _within(dropped, use.node.start)] if dropped else uses


def _within(ranges: list[tuple[int, int]], offset: int) -> bool:
    """Whether one of the ranges, which are in order, holds this offset."""
    index = bisect_right(ranges, (offset, 1 << 62)) - 1
    return index >= 0 and offset < ranges[index][1]


def captured(chains: list[Chain], uses: list[Use]) -> set[Node]:
    """Uses of a job's own name `p` that now mean the promise of a chain: they stand in the
    function `p => …`, and nothing inside it declares the name. (Neither the reference nor we can
    avoid it, because the name is part of the reference's behaviour.)"""
    ranges = [part for chain in chains for part in chain.inside]
    found: set[Node] = set()
    for use in uses if ranges else []:
        if use.name != "p":
            continue
        index = bisect_right(ranges, (use.node.start, 1 << 62)) - 1
        if index < 0 or use.node.end > ranges[index][1]:
            continue
        scope = use.scope.declaring("p")
        if scope is None or scope.start < ranges[index][0]:
            found.add(use.node)
    return found


def waiting(chains: list[Chain], text: str) -> Node | None:
    """An `await` that moved into the function `p => …`, which is not asynchronous."""
    if "await" not in text:
        return None
    for chain in chains:
        for node in walk(chain.call, lambda item: item.type in FUNCTIONS):
            if is_wait(node, text) and any(
                start <= node.start < end for start, end in chain.inside
            ):
                return node
    return None

"""Builds the module: default export, operations, imports (`docs/spec/compiler.md` 6, 7, 8).

Text stays in its place as far as the order of evaluation allows. Operations after the last other
statement become elements of the array in their place. An operation before another statement moves
behind it, with its line ends, so that all later text keeps its line.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from holdfast.compiler.chains import Chain
from holdfast.compiler.edit import Segment
from holdfast.compiler.source import LINE_END
from holdfast.compiler.tree import Node, bare, in_chain, is_call, outer

_COMMENTS = re.compile(r"//[^\n\r]*|/\*.*?\*/", re.DOTALL)
BYTE_ORDER_MARK = "\xef\xbb\xbf"


class Layout(NamedTuple):
    """What the top level of a job holds."""

    statements: list[Node]
    #: Index of the last statement that is neither an operation nor empty; -1 without one.
    last_other: int
    #: The array literal of a default export that ends the module.
    array: Node | None
    has_default: bool
    operations: list[Node]
    #: `export { x as default }`, `export * as default from …`
    listed_default: Node | None


def lay_out(root: Node, chains: list[Chain], text: str) -> Layout:
    """Sort the top-level statements."""
    statements = root.children
    rewritten = {chain.call for chain in chains}
    operations, last_other, default = [], -1, None
    listed = None
    for index, item in enumerate(statements):
        if _is_operation(item, rewritten):
            operations.append(item)
        elif item.type != "empty_statement":
            last_other = index
            if item.type == "export_statement":
                listed = listed or _listed_default(item, text)
                if item.has("default") and item.child("source") is None:
                    default = item
    array = None
    if default is not None and _is_last(default, statements):
        value = default.child("value")
        if value is not None and bare(value).type == "array":
            array = bare(value)
    return Layout(statements, last_other, array, default is not None, operations, listed)


def _is_last(item: Node, statements: list[Node]) -> bool:
    solid = [other for other in statements[-2:] if other.type != "empty_statement"]
    if not solid:
        solid = [other for other in statements if other.type != "empty_statement"]
    return solid[-1] is item


def _listed_default(statement: Node, text: str) -> Node | None:
    for clause in statement.children:
        if clause.type == "namespace_export" and _is_default(clause.children[-1:], text):
            return clause
        if clause.type == "export_clause":
            for specifier in clause.children:
                alias = specifier.child("alias")
                words = [alias] if alias is not None else specifier.children[-1:]
                if _is_default(words, text):
                    return specifier
    return None


def _is_default(words: list[Node], text: str) -> bool:
    return any(text[word.start : word.end].strip("\"'") == "default" for word in words)


def _is_operation(statement: Node, rewritten: set[Node]) -> bool:
    if statement.type != "expression_statement" or not statement.children:
        return False
    expression = bare(statement.children[0])
    if expression in rewritten:
        return True
    return is_call(expression) and not in_chain(expression, rewritten)


def build(layout: Layout, text: str, header: str, *, ensure: bool, gather: bool) -> list[Segment]:
    """The module as ranges of the author's text and new text.

    `ensure`: add a default export when there is none; `gather`: move operations into it.
    """
    parts: list[Segment] = []
    done = _begin(parts, text, header)
    gather = gather and bool(layout.operations)
    if layout.array is not None and gather:
        _into_array(parts, layout, layout.array, text, done)
    elif not layout.has_default and layout.listed_default is None and ensure:
        if gather:
            _into_new_array(parts, layout, text, done)
        else:
            parts += [(done, len(text)), "\nexport default [];"]
    else:
        parts.append((done, len(text)))
    return parts


def _begin(parts: list[Segment], text: str, header: str) -> int:
    """The imports, at the very beginning; a hashbang line becomes a comment."""
    done = len(BYTE_ORDER_MARK) if text.startswith(BYTE_ORDER_MARK) else 0
    if text.startswith("#!"):
        match = LINE_END.search(text)
        done = match.end() if match else len(text)
        parts += ["//", (2, done), "" if match else "\n"]
    parts.append(header)
    return done


def expression_of(statement: Node) -> Node:
    """The expression of a statement, with its parentheses."""
    return statement.children[0]


def _terminated(statement: Node, text: str) -> bool:
    return statement.end > expression_of(statement).end and text[statement.end - 1] == ";"


def _cut(parts: list[Segment], statement: Node, text: str, done: int) -> int:
    """Remove an operation, and keep the text on both sides separate."""
    expression = expression_of(statement)
    parts.append((done, expression.start))
    if not _terminated(statement, text):
        parts.append(";")
    return expression.end


def _listed(operations: list[Node]) -> list[Segment]:
    parts: list[Segment] = []
    for item in operations:
        expression = expression_of(item)
        parts += (
            [", ", (expression.start, expression.end)]
            if parts
            else [(expression.start, expression.end)]
        )
    return parts


def _into_array(parts: list[Segment], layout: Layout, array: Node, text: str, done: int) -> None:
    for item in layout.operations:
        done = _cut(parts, item, text, done)
    bracket = array.end - 1
    parts.append((done, bracket))
    if array.children:
        gap = text[outer(array.children[-1]).end : bracket]
        if "," not in _COMMENTS.sub("", gap):
            parts.append(", ")
    parts += _listed(layout.operations)
    parts.append((bracket, len(text)))


def _into_new_array(parts: list[Segment], layout: Layout, text: str, done: int) -> None:
    tail = layout.statements[layout.last_other + 1 :]
    trailing = [item for item in tail if item.type != "empty_statement"]
    moved = layout.operations[: len(layout.operations) - len(trailing)]
    for item in moved:
        done = _cut(parts, item, text, done)
    if not trailing:
        parts += [(done, len(text)), "\nexport default [", *_listed(moved), "];"]
        return
    opening: list[Segment] = ["export default [", *_listed(moved), ", " if moved else ""]
    for item in tail:
        if item.type == "empty_statement":
            if item.start < trailing[-1].start:
                parts += [(done, item.start), " "]
                done = item.end
            continue
        expression = expression_of(item)
        parts += [(done, expression.start), *opening, (expression.start, expression.end)]
        opening = []
        done = expression.end
        if item is trailing[-1]:
            parts.append("]" if _terminated(item, text) else "];")
        elif _terminated(item, text):
            parts += [(done, item.end - 1), ","]
            done = item.end
        else:
            parts.append(",")
    parts.append((done, len(text)))

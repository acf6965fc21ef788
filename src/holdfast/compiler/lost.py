"""What compiles, succeeds and does nothing: lists that are made for nobody, and `length` with its
letters in another order."""

from __future__ import annotations

import re

from holdfast.compiler.job import Warned
from holdfast.compiler.source import Source
from holdfast.compiler.tree import FUNCTIONS, Node, bare, is_call, walk

#: Warnings of one step.
_MOST = 10
_NEW_LISTS = frozenset({"map", "filter", "flatMap"})
_LENGTH = frozenset({"lenght", "lengh", "legnth", "lenth", "legth", "lentgh", "lengt", "lengthh"})
#: Without any of these the tree need not be walked.
_WORDS = re.compile(rf"\.\s*(?:{'|'.join(sorted(_NEW_LISTS | _LENGTH))})\b")
#: What may happen in a function that surely changes nothing: calls of these, and no others.
_PURE_NAMES = frozenset({"String", "Number", "Boolean", "parseInt", "parseFloat"})
_PURE_METHODS = frozenset(
    {
        "at", "concat", "endsWith", "includes", "indexOf", "join", "padEnd", "padStart",
        "replace", "replaceAll", "slice", "split", "startsWith", "substring", "toFixed",
        "toLowerCase", "toString", "toUpperCase", "trim",
    }
)  # fmt: skip
_CHANGES = frozenset(
    {
        "assignment_expression", "augmented_assignment_expression", "update_expression",
        "await_expression", "yield_expression", "new_expression", "unary_expression",
        "statement_block", "tagged_template",
    }
)  # fmt: skip


def lost(root: Node, text: Source) -> list[Warned]:
    """A warning for each place."""
    if not any(
        match[0][1:].strip() in _NEW_LISTS | _LENGTH for match in _WORDS.finditer(text.text)
    ):
        return []
    found = []
    for node in walk(root):
        if (warned := _list_for_nobody(node, text) or _misspelled(node, text)) is not None:
            found.append(warned)
            if len(found) == _MOST:
                break
    return found


def _list_for_nobody(node: Node, text: Source) -> Warned | None:
    """`items.map(item => …)` as a statement, where the function changes nothing."""
    if node.type != "expression_statement" or not node.children or not _in_function(node):
        return None
    call = bare(node.children[0])
    given = call.child("arguments")
    method = _method(call, text.text)
    if method not in _NEW_LISTS or given is None or len(given.children) != 1:
        return None
    callback = bare(given.children[0])
    body = _result(callback) if callback.type == "arrow_function" else None
    if body is None or not all(_is_pure(part, text.text) for part in walk(body)):
        return None
    place = text.position(call.start)
    callee = bare(call.children[0])
    said = text.string(callee.start, min(callee.end, callee.start + 60))
    return Warned("HF1024", {"call": said, "line": str(place[0])}, *place)


def _result(function: Node) -> Node | None:
    """What an arrow function gives, where it does no more than that."""
    body = function.child("body")
    if body is None or body.type != "statement_block":
        return body
    only = body.children[0] if len(body.children) == 1 else None
    returns = only is not None and only.type == "return_statement" and only.children
    return only.children[0] if only is not None and returns else None


def _is_pure(node: Node, text: str) -> bool:
    if node.type in _CHANGES:
        return False
    if node.type != "call_expression":
        return True
    callee = bare(node.children[0])
    if callee.type == "identifier":
        return text[callee.start : callee.end] in _PURE_NAMES
    return _method(node, text) in _PURE_METHODS


def _misspelled(node: Node, text: Source) -> Warned | None:
    """`items.lenght`, where it is read."""
    if node.type != "member_expression":
        return None
    name = node.child("property")
    word = text.text[name.start : name.end] if name is not None else ""
    if word not in _LENGTH or _is_set_or_called(node):
        return None
    place = text.position(node.start)
    return Warned("HF1025", {"name": word, "line": str(place[0])}, *place)


def _is_set_or_called(node: Node) -> bool:
    parent = node.parent
    return parent is not None and (
        (parent.type == "assignment_expression" and node.field == "left") or is_call(parent)
    )


def _method(call: Node, text: str) -> str | None:
    """The method that is called."""
    if not is_call(call):
        return None
    name = bare(call.children[0]).child("property")
    return text[name.start : name.end] if name is not None else None


def _in_function(node: Node) -> bool:
    here = node.parent
    while here is not None and here.type not in FUNCTIONS:
        here = here.parent
    return here is not None

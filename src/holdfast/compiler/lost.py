"""What compiles, succeeds and does nothing: lists that are made for nobody, and `length` with its
letters in another order."""

from __future__ import annotations

import re
from collections import Counter

from holdfast.compiler.job import Warned
from holdfast.compiler.source import Source
from holdfast.compiler.tree import FUNCTIONS, Node, bare, is_call, outer, walk

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


_NAMES = frozenset({"property_identifier", "shorthand_property_identifier"})
#: Parents of a member that is not only read.
_DEFINING = frozenset(
    {
        "augmented_assignment_expression", "update_expression", "unary_expression",
        "array_pattern", "pair_pattern", "rest_pattern", "assignment_pattern",
    }
)  # fmt: skip
_COMPARES = re.compile(r"[<>]=?|[!=]==?")
_RIGHT = re.compile(r"\.\s*length\b")
#: How far around a comparison it is looked for `length`: operators, and characters.
_LEVELS, _NEAR = 4, 500


def lost(root: Node, text: Source) -> list[Warned]:
    """A warning for each place."""
    if not any(
        match[0][1:].strip() in _NEW_LISTS | _LENGTH for match in _WORDS.finditer(text.text)
    ):
        return []
    lists, misspelled, defined, reads = [], [], set(), Counter[str]()
    for node in walk(root):
        if node.type == "expression_statement":
            if (call := _list_for_nobody(node, text.text)) is not None:
                lists.append(call)
        elif node.type in _NAMES:
            word = text.text[node.start : node.end]
            if word in _NEW_LISTS and _is_defined(node):
                defined.add(word)
            elif word in _LENGTH and not _is_defined(node) and node.parent is not None:
                reads[word] += 1
                if _is_compared(node.parent, text.text):
                    misspelled.append((word, node.parent))
    # A name that stands anywhere else, in quotes too, may well be meant.
    odd = {w for w, n in reads.items() if len(re.findall(rf"\b{w}\b", text.text)) == n}
    calls = [call for call in lists if _method(call, text.text) not in defined][:_MOST]
    lengths = [(word, node) for word, node in misspelled if word in odd][:_MOST]
    found = [_told_list(call, text) for call in calls]
    found += [_told_length(word, node, text) for word, node in lengths]
    return sorted(found, key=lambda item: item.line)[:_MOST]


def _list_for_nobody(node: Node, text: str) -> Node | None:
    """The call in `state.data.map(item => …)` as a statement, where the function changes nothing.

    Only what lies in the data of a state is surely a list: others may have such methods, too.
    """
    if not node.children or not _in_function(node):
        return None
    call = bare(node.children[0])
    given = call.child("arguments")
    if _method(call, text) not in _NEW_LISTS or given is None or len(given.children) != 1:
        return None
    callback = bare(given.children[0])
    body = _result(callback) if callback.type == "arrow_function" else None
    if body is None or not all(_is_pure(part, text) for part in walk(body)):
        return None
    return call if _is_data(bare(call.children[0]).children[0], text) else None


def _is_data(node: Node, text: str) -> bool:
    """`[…]`, or a place in `state.data` or `state.references`, whatever state is called there."""
    node, last = bare(node), ""
    while node.type in {"member_expression", "subscript_expression"}:
        name = node.child("property")
        last = text[name.start : name.end] if name is not None else ""
        node = bare(node.children[0])
    return node.type == "array" or (node.type == "identifier" and last in {"data", "references"})


def _told_list(call: Node, text: Source) -> Warned:
    place = text.position(call.start)
    callee = bare(call.children[0])
    said = text.string(callee.start, min(callee.end, callee.start + 60))
    return Warned("HF1024", {"call": said, "line": str(place[0])}, *place)


def _told_length(word: str, node: Node, text: Source) -> Warned:
    place = text.position(node.start)
    return Warned("HF1025", {"name": word, "line": str(place[0])}, *place)


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


def _is_defined(name: Node) -> bool:
    """Whether the name of a member is given here to something: in an object, a class, or by an
    assignment. What is done to a member in other ways is taken for that, too."""
    member = name.parent
    if member is None or member.type != "member_expression":
        return True
    whole = outer(member)
    kind = whole.parent.type if whole.parent is not None else ""
    return kind in _DEFINING or (kind == "assignment_expression" and whole.field == "left")


def _is_compared(node: Node, text: str) -> bool:
    """Whether a number is expected: it is compared, but not to ask whether it is there."""
    whole = outer(node)
    pair = whole.parent
    if pair is None or _COMPARES.fullmatch(_operator(pair, text)) is None:
        return False
    if any(text[side.start : side.end] in {"undefined", "null"} for side in pair.children):
        return False
    top, here = node, whole
    for _ in range(_LEVELS):
        if here.parent is None or here.parent.type != "binary_expression":
            break
        here = outer(here.parent)
        if _operator(bare(here), text) in {"||", "??"}:
            top = here
    near = text[max(top.start, node.start - _NEAR) : min(top.end, node.end + _NEAR)]
    return _RIGHT.search(near) is None


def _operator(node: Node, text: str) -> str:
    """What stands between two operands."""
    if node.type != "binary_expression" or len(node.children) != 2:
        return ""
    left, right = node.children
    return text[left.end : right.start].strip() if right.start - left.end < _NEAR else ""


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

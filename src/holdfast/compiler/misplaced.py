"""What compiles and does not do what its author means: `$` that a call in a function gets, or that
stands in quotes, and operations that are made in a function and never run.

A warning that is wrong costs its reader more than one that is missing: what cannot be told from
the text is not said.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from holdfast.compiler.job import Warned
from holdfast.compiler.names import MARK
from holdfast.compiler.scope import Use
from holdfast.compiler.source import Source
from holdfast.compiler.tree import FUNCTIONS, Node, bare, name_of, outer

#: Warnings of one step.
_MOST = 10
#: `$.data` within an address. A text that begins with `$` is a path, which many operations take.
_QUOTED = re.compile(r"(?<=[/=:,&])\$(?:\.[A-Za-z_][A-Za-z0-9_]*)+")
#: Members of state. After `?`, `$.store.book` is a path that a server takes.
_MEMBERS = frozenset({"data", "references", "configuration"})
_INSERTED = re.compile(r"\$\{[^}]*\}")
_NO_ADDRESS = re.compile(r"[\s\[\]'\"<>]")
#: Longer texts are no addresses.
_LONGEST = 2000
_TEXTS = frozenset({"string", "template_string"})
#: Methods that call a function for each item: what becomes of what it returns.
_DROPS = frozenset({"forEach", "filter", "some", "every", "find", "findIndex", "sort"})
_KEEPS = frozenset({"map", "flatMap"})
_BUNDLES = frozenset({"all", "allSettled", "race", "any", "resolve"})


def misplaced(
    wrapped: Iterable[Node],
    operations: Collection[str],
    adaptors: Collection[str],
    text: Source,
    uses: Iterable[Use] = (),
) -> list[Warned]:
    """A warning for each place. `wrapped`: the arguments that became functions of state;
    `operations`: names that surely give one; `adaptors`: all names that come from an adaptor.

    What an adaptor gives may stand in a function and be called with state there.
    """
    found = [*_called_with_functions(wrapped, {MARK, *adaptors}, text)]
    for use in uses:
        call = _called(use.node)
        if call is None or use.scope.declares(use.name):
            continue
        place = text.position(use.node.start)
        told = {"line": str(place[0])}
        if use.name in operations and _in_function(call) and _is_lost(call, text.text):
            found.append(Warned("HF1020", {**told, "name": use.name}, *place))
        elif use.name in adaptors and (quoted := _quoted(call, text.text)) is not None:
            found.append(Warned("HF1021", {**told, "text": quoted}, *place))
    found.sort(key=lambda item: item.line)
    return found[:_MOST]


def _called_with_functions(
    wrapped: Iterable[Node], adaptors: set[str], text: Source
) -> Iterator[Warned]:
    for node in wrapped:
        call = _call_of(node)
        if call is None or not _in_function(call) or _is_called(call):
            continue
        callee = bare(call.children[0])
        if _owner(callee, text.text) in adaptors:
            continue
        place = text.position(node.start)
        name = text.string(callee.start, min(callee.end, callee.start + 60))
        said = f"on line {place[0]}: {name}(…) gets a function there, not a value"
        yield Warned("HF1008", {"said": said}, *place)


def _owner(callee: Node, text: str) -> str | None:
    """The name that a callee begins with: `collections` of `collections.get`."""
    while callee.type == "member_expression":
        callee = bare(callee.children[0])
    return name_of(callee, text) if callee.type == "identifier" else None


def _called(node: Node) -> Node | None:
    """The call of this name."""
    whole = outer(node)
    return whole.parent if _is_called(node) else None


def _is_called(node: Node) -> bool:
    whole = outer(node)
    parent = whole.parent
    return parent is not None and parent.type == "call_expression" and whole.field == "function"


def _is_lost(call: Node, text: str) -> bool:
    """Whether nobody gets the operation that this call makes: it, or the list or bundle that it
    goes into, is a statement of its own, or what a function returns to one that drops it."""
    node = call
    while True:
        whole = outer(node)
        parent = whole.parent
        if parent is None:
            return False
        kind = parent.type
        if kind == "expression_statement":
            return True
        if kind == "arguments" and parent.parent is not None:
            if _method(parent.parent, text, "Promise") not in _BUNDLES:
                return False
            node = parent.parent
        elif kind in ("await_expression", "array") or _is_branch(whole):
            node = parent
        elif kind == "arrow_function" and whole.field == "body":
            walk = _call_with(parent)
            method = walk and _method(walk, text)
            if walk is None or method not in _KEEPS:
                return method in _DROPS
            node = walk
        else:
            return False


def _is_branch(node: Node) -> bool:
    """Whether this is what `a && b` or `a ? b : c` comes to."""
    kind = node.parent.type if node.parent is not None else ""
    if kind == "ternary_expression":
        return node.field != "condition"
    return kind == "binary_expression" and node.field == "right"


def _call_with(node: Node) -> Node | None:
    """The call whose first argument this is."""
    given = outer(node).parent
    if given is None or given.type != "arguments" or bare(given.children[0]) is not node:
        return None
    return given.parent


def _method(call: Node, text: str, owner: str | None = None) -> str | None:
    """The name of the method that is called, of `owner` where that is told."""
    callee = bare(call.children[0]) if call.children else call
    name = callee.child("property")
    if callee.type != "member_expression" or name is None:
        return None
    if owner is not None and _owner(callee, text) != owner:
        return None
    return text[name.start : name.end]


def _quoted(call: Node, text: str) -> str | None:
    """A part of state that an address among its arguments has in quotes."""
    given = call.child("arguments")
    for child in given.children if given is not None else ():
        argument = bare(child)
        if argument.type not in _TEXTS or argument.end - argument.start > _LONGEST:
            continue
        said = _INSERTED.sub("", text[argument.start + 1 : argument.end - 1])
        if "/" not in said or _NO_ADDRESS.search(said) is not None:
            continue
        address = len(said.split("?", 1)[0])
        for found in _QUOTED.finditer(said):
            if found.start() < address or found[0].split(".")[1] in _MEMBERS:
                return found[0][:60]
    return None


def _call_of(node: Node) -> Node | None:
    here = node.parent
    while here is not None and here.type != "arguments":
        here = here.parent
    return here.parent if here is not None else None


def _in_function(node: Node) -> bool:
    here = node.parent
    while here is not None:
        if here.type in FUNCTIONS:
            return True
        here = here.parent
    return False

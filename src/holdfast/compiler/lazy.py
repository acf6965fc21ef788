"""Lazy state: `$.a` in an argument of an operation becomes a function of state.

Rules: `docs/spec/compiler.md` section 4. Where the reference produces code that cannot run
(section 14), the whole argument is wrapped once, or the name is only changed.
"""

from __future__ import annotations

from holdfast.compiler.edit import Edits
from holdfast.compiler.scope import Use
from holdfast.compiler.tree import FUNCTIONS, Node, bare, is_call, is_wait, outer

_MEMBER = frozenset({"member_expression", "subscript_expression"})
_STOPS = frozenset(
    {"lexical_declaration", "statement_block", "class_body", "class_static_block", "program"}
)
DETAILS = "Parts of state, such as $.data, can be used directly only as arguments of an operation."


class LazyStateError(Exception):
    """A `$` that cannot become a function of state; `node` says where."""

    def __init__(self, text: str, node: Node) -> None:
        super().__init__(text)
        self.text = text
        self.node = node


def rewrite_lazy_state(root: Node, uses: list[Use], text: str, edits: Edits) -> set[Node]:
    """Note the edits; returns the nodes that became functions. Raises LazyStateError.

    Renamed uses are removed from the list, because they are parameters now.
    """
    subjects = [use for use in uses if use.name == "$" and _is_subject(use)]
    renamed = {use.node for use in subjects}
    wrapped: set[Node] = set()
    for use in subjects:
        edits.replace(use.node.start, use.node.end, ["state"])
        target = _target(use.node, text, renamed)
        if target not in wrapped and not _is_function_of_state(target, text):
            wrapped.add(target)
            edits.wrap(target.start, target.end, "state => (", ")")
    if wrapped and ("await" in text or "yield" in text):
        _refuse_waiting(root, text, wrapped)
    uses[:] = [use for use in uses if use.node not in renamed]
    return wrapped


def _is_subject(use: Use) -> bool:
    node = outer(use.node)
    if node.parent is None or node.parent.type not in _MEMBER or node.field != "object":
        return False
    return not use.scope.hides_dollar()


def _subject(node: Node) -> Node:
    """The longest member expression whose chain of objects ends in this `$`."""
    while True:
        whole = outer(node)
        if whole.parent is None or whole.parent.type not in _MEMBER or whole.field != "object":
            return node
        node = whole.parent


def _target(dollar: Node, text: str, renamed: set[Node]) -> Node:
    """The argument that must become a function of state."""
    subject = _subject(dollar)
    child, parent = subject, subject.parent
    while parent is not None:
        kind = parent.type
        if kind in _STOPS or kind.endswith(("_statement", "_declaration")):
            break
        if kind == "arguments" and parent.parent is not None:
            call = parent.parent
            if is_call(call) and not _on_state(call, text, renamed):
                if child.type == "spread_element":
                    message = "state cannot be spread into arguments with $"
                    raise LazyStateError(message, subject)
                return bare(child)
            child, parent = call, call.parent
            continue
        if kind == "call_expression" and child.field == "function" and is_call(parent):
            called = bare(child)
            if called.type == "arrow_function":
                return called
        child, parent = parent, parent.parent
    message = "Must be inside an operation"
    raise LazyStateError(message, subject)


def _on_state(call: Node, text: str, renamed: set[Node]) -> bool:
    """Whether it is `state.f(…)`: neither that call nor one on a part of `$` is an operation."""
    callee = bare(call.children[0])
    if callee.type not in _MEMBER:
        return False
    base = bare(callee.children[0])
    if base.type == "identifier" and text[base.start : base.end] == "state":
        return True
    while base.type in _MEMBER or is_call(base):
        base = bare(base.children[0])
    return base in renamed


def _refuse_waiting(root: Node, text: str, wrapped: set[Node]) -> None:
    """Refuse `await` and `yield`: a function of state cannot wait."""
    stack = [(root, False)]
    while stack:
        node, inside = stack.pop()
        inside = (inside and node.type not in FUNCTIONS) or node in wrapped
        if inside and is_wait(node, text):
            message = "an argument that uses $ cannot wait: do this in a function of state"
            raise LazyStateError(message, node)
        stack.extend((child, inside) for child in node.children)


def _is_function_of_state(target: Node, text: str) -> bool:
    """An arrow function `state => …` needs nothing; any other arrow is an error."""
    if target.type != "arrow_function":
        return False
    single, several = target.child("parameter"), target.child("parameters")
    parameters = [single] if single else several.children if several else []
    if len(parameters) != 1:
        message = "parent has wrong arity"
        raise LazyStateError(message, target)
    name = parameters[0]
    shown = text[name.start : name.end] if name.type == "identifier" else "undefined"
    if shown != "state":
        message = f'parameter "{shown}" should be called "state"'
        raise LazyStateError(message, target)
    return True

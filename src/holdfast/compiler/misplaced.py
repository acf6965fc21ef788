"""`$` as an argument of a call in a function: the call gets a function, not a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from holdfast.compiler.names import MARK
from holdfast.compiler.source import Source
from holdfast.compiler.tree import FUNCTIONS, Node, bare, name_of

#: Warnings of one step.
_MOST = 10


def misplaced(
    wrapped: Iterable[Node], imports: Mapping[str, list[str]], text: Source
) -> list[str]:
    """A warning for each place. `wrapped`: the arguments that became functions of state.

    Operations of an adaptor may stand in a function and be called with state there.
    """
    operations = {MARK, *(name for names in imports.values() for name in names)}
    found = []
    for node in sorted(wrapped, key=lambda item: item.start):
        call = _call_of(node)
        if call is None or not _in_function(call):
            continue
        callee = bare(call.children[0])
        name = text.text[callee.start : callee.end]
        if callee.type == "identifier" and name_of(callee, text.text) in operations:
            continue
        found.append((text.position(node.start)[0], name))
    return [_words(line, name) for line, name in found[:_MOST]]


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


def _words(line: int, name: str) -> str:
    # loaded by the few steps that need it
    from holdfast.diagnosis.ending import Found, made  # noqa: PLC0415

    said = f"on line {line}: {name[:60]}(…) gets a function there, not a value"
    told = made(Found("HF1008", {"said": said}))
    return f"{told.code}  {told.what} Change: {told.change}"

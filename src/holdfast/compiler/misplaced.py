"""What compiles and does not do what its author means: `$` that a call in a function gets, or that
stands in quotes, and operations that are made in a function and never run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from holdfast.compiler.names import MARK
from holdfast.compiler.scope import Use
from holdfast.compiler.source import Source
from holdfast.compiler.tree import FUNCTIONS, Node, bare, name_of, outer

#: Warnings of one step.
_MOST = 10
#: Operations that are given paths as text.
_OF_PATHS = frozenset(
    {"each", "dataPath", "dataValue", "sourceValue", "source", "referencePath", "merge",
     "lastReferenceValue", "jsonValue", "field", "cursor", "parseCsv"}
)  # fmt: skip
#: `$.data` in a text, not `${$.data}`.
_QUOTED = re.compile(r"(?<![\w{$\\])\$(?:\.[A-Za-z_][A-Za-z0-9_]*)+")
#: Methods that go through a list.
_WALKS = (".forEach", ".map", ".flatMap", ".filter", ".some", ".every", ".reduce")
_TEXTS = frozenset({"string", "template_string"})


def misplaced(
    wrapped: Iterable[Node],
    imports: Mapping[str, list[str]],
    text: Source,
    uses: Iterable[Use] = (),
) -> list[str]:
    """A warning for each place. `wrapped`: the arguments that became functions of state.

    Operations of an adaptor may stand in a function and be called with state there.
    """
    operations = {MARK, *(name for names in imports.values() for name in names)}
    found = [*_called_with_functions(wrapped, operations, text)]
    for use in uses:
        call = _called(use.node)
        if call is None or use.name not in operations or use.scope.declaring(use.name):
            continue
        line = text.position(use.node.start)[0]
        if _never_runs(call, text.text):
            found.append((line, "HF1020", {"name": use.name, "line": str(line)}))
        elif use.name not in _OF_PATHS and (quoted := _quoted(call, text.text)) is not None:
            found.append((line, "HF1021", {"text": quoted, "line": str(line)}))
    found.sort(key=lambda item: item[0])
    return [_words(code, values) for _, code, values in found[:_MOST]]


def _called_with_functions(
    wrapped: Iterable[Node], operations: set[str], text: Source
) -> Iterator[tuple[int, str, dict[str, str]]]:
    for node in wrapped:
        call = _call_of(node)
        if call is None or not _in_function(call):
            continue
        callee = bare(call.children[0])
        name = text.text[callee.start : callee.end]
        if callee.type == "identifier" and name_of(callee, text.text) in operations:
            continue
        line = text.position(node.start)[0]
        said = f"on line {line}: {name[:60]}(…) gets a function there, not a value"
        yield line, "HF1008", {"said": said}


def _called(node: Node) -> Node | None:
    """The call of this name."""
    whole = outer(node)
    parent = whole.parent
    is_callee = (
        parent is not None and parent.type == "call_expression" and whole.field == "function"
    )
    return parent if is_callee else None


def _never_runs(call: Node, text: str) -> bool:
    """Whether nobody gets what it makes in a function: a statement of its own, also behind
    `await`, or all that a function does that goes through a list."""
    whole = outer(call)
    parent = whole.parent
    if parent is not None and parent.type == "arrow_function" and whole.field == "body":
        walk = _call_of(parent)
        callee = text[walk.children[0].start : walk.children[0].end] if walk is not None else ""
        return callee.endswith(_WALKS)
    if parent is not None and parent.type == "await_expression":
        parent = outer(parent).parent
    return parent is not None and parent.type == "expression_statement" and _in_function(call)


def _quoted(call: Node, text: str) -> str | None:
    """A part of state that one of its arguments has in quotes."""
    given = call.child("arguments")
    for child in given.children if given is not None else ():
        argument = bare(child)
        if argument.type in _TEXTS:
            found = _QUOTED.search(text[argument.start + 1 : argument.end - 1])
            if found is not None:
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


def _words(code: str, values: dict[str, str]) -> str:
    # loaded by the few steps that need it
    from holdfast.diagnosis.ending import Found, made  # noqa: PLC0415

    told = made(Found(code, values))
    return f"{told.code}  {told.what} Change: {told.change}"

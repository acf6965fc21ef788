"""Type declarations of an adaptor's operations for job code, from its manual. Pure.

The declarations that adaptors bring along are not used: they call arguments needed that may be
left out, and name types that they do not declare. Here names and numbers of arguments are checked,
and an editor shows what the authors say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from holdfast.adaptors.declared import Declared
from holdfast.adaptors.manual import Manual

_IDENTIFIER = re.compile(r"[A-Za-z_$][\w$]*")
#: Names that no declaration may have.
_RESERVED = frozenset(
    keyword
    for line in (
        "await break case catch class const continue debugger default delete do else enum export",
        "extends false finally for function if implements import in instanceof interface let new",
        "null package private protected public return static super switch this throw true try",
        "typeof var void while with yield",
    )
    for keyword in line.split()
)
#: What every job has, whatever its adaptor (`cli/sandbox.d.ts`).
_EVERYWHERE = frozenset({"collections"})
#: How authors write that an argument is a function of the state.
_CALLS = {"function", "func", "callback"}


def declarations(book: Manual) -> str:
    """A script of ambient declarations: its names are global in job code, and can be imported."""
    names: dict[str, list[str]] = {}
    for space, operations in _by_space(book.operations.values()).items():
        if not space:
            names |= {op.name: _function(op.name, op) for op in operations if _fits(op.name)}
        elif _fits(space):
            inner = [line for op in operations for line in _method(op)]
            names[space] = [f"const {space}: {{", *(f"  {line}" for line in inner), "};"]
    names |= {name: [f"const {name}: any;"] for name in book.values if _fits(name)}
    lines = [
        f"// {json.dumps(f'{book.name} {book.version}')}",
        "// Written by `holdfast editor`: changes are lost.",
    ]
    for name, part in names.items():
        if name not in _EVERYWHERE:
            lines += ["", *_declared(part, "declare ")]
    lines += ["", f"declare module {json.dumps(book.name)} {{"]
    for part in names.values():
        lines += [f"  {line}" for line in _declared(part, "export ")]
    return "\n".join([*lines, "}", ""])


def _declared(part: list[str], word: str) -> Iterator[str]:
    """The lines with the word before their declaration."""
    for line in part:
        yield f"{word}{line}" if line.startswith(("function ", "const ")) else line


def _by_space(operations: Iterable[Declared]) -> dict[str, list[Declared]]:
    found: dict[str, list[Declared]] = {}
    for operation in operations:
        space = operation.name.rpartition(".")[0]
        found.setdefault(space, []).append(operation)
    return found


def _fits(name: str) -> bool:
    return bool(_IDENTIFIER.fullmatch(name)) and name not in _RESERVED


def _function(name: str, operation: Declared) -> list[str]:
    return [*_comment(operation), f"function {name}({_parameters(operation)}): Operation;"]


def _method(operation: Declared) -> list[str]:
    name = operation.name.rpartition(".")[2]
    if not _fits(name):
        return []
    return [*_comment(operation), f"{name}({_parameters(operation)}): Operation;"]


def _parameters(operation: Declared) -> str:
    """All but a first one that is needed may be left out: authors seldom say which may."""
    parts = []
    for place, item in enumerate(operation.parameters):
        written = item.name.lstrip(".")
        name = written if _fits(written) else f"argument{place + 1}"
        if item.rest:
            parts.append(f"...{name}: any[]")
            break
        needed = place == 0 and operation.least == 1
        kind = "any"
        if place == 0 and item.name in _CALLS and item.kind.lower() in {"function", "operation"}:
            kind = "(state: State) => any"
        parts.append(f"{name}{'' if needed else '?'}: {kind}")
    return ", ".join(parts)


def _comment(operation: Declared) -> list[str]:
    """The authors' words as an editor shows them."""
    lines = operation.description.strip().splitlines()
    for item in operation.parameters:
        if item.description:
            words = " ".join(item.description.split())
            lines.append(f"@param {item.name.lstrip('.')} {words}")
    for example in operation.examples:
        caption, _, code = example.rpartition("</caption>")
        title = caption.removeprefix("<caption>").strip()
        lines += [f"@example {title}".rstrip(), *code.strip("\n").splitlines()]
    safe = [line.replace("*/", "*\\/").rstrip() for line in lines]
    return ["/**", *(f" * {line}".rstrip() for line in safe), " */"] if safe else []

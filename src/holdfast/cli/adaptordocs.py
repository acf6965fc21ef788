"""`holdfast adaptors docs`: what an adaptor offers, in the terminal."""

from __future__ import annotations

import asyncio
import json
import re
import textwrap
from collections.abc import Callable

from holdfast.adaptors import Specifier, Store
from holdfast.adaptors.declared import Declared
from holdfast.adaptors.errors import AutoinstallError
from holdfast.adaptors.events import InstallEvent
from holdfast.adaptors.manual import Manual, manual
from holdfast.cli import terminal
from holdfast.diagnosis.adaptors import ADAPTORS
from holdfast.diagnosis.near import nearest
from holdfast.model.adaptor_name import full_name
from holdfast.model.errors import UsageError
from holdfast.model.json import Json, JsonObject

_WIDTH = 96
_CAPTION = re.compile(r"<caption>(.*?)</caption>\s*", re.DOTALL)


def manual_of(store: Store, name: str, on_event: Callable[[InstallEvent], None]) -> Manual:
    """Of the version that is named, else of the newest one installed here, else of the latest.

    Raises AutoinstallError, UsageError.
    """
    wanted = Specifier.parse(full_name(name))
    here = [
        (record.at(folder).path, record.exports)
        for folder, record in store.installed()
        if record.name == wanted.name and wanted.version in {None, "latest", record.version}
    ]
    if not here:
        try:
            found = asyncio.run(store.ensure([str(wanted)], on_event=on_event))
        except AutoinstallError as error:
            if near := nearest(wanted.name.removeprefix("@openfn/language-"), ADAPTORS):
                raise UsageError(error.message, fix=f"Did you mean {near[0]}?") from None
            raise
        adaptor = found[str(wanted)]
        here = [(adaptor.path, tuple(adaptor.exports))]
    path, exports = here[-1]
    return manual(path, tuple(exports))


def show_manual(book: Manual, operation: str | None, *, as_json: bool) -> None:
    """Print all of it, or one operation. Raises UsageError where there is none of this name."""
    if operation is not None and operation not in book.operations:
        near = nearest(operation, [*book.operations, *book.values])
        message = f"{book.name}@{book.version} tells of no operation {operation!r}"
        fix = f"Did you mean {near[0]}?" if near else f"holdfast adaptors docs {book.name}"
        raise UsageError(message, fix=fix)
    chosen = [*book.operations] if operation is None else [operation]
    if as_json:
        told: list[Json] = [_json(book.operations[name]) for name in chosen]
        whole: JsonObject = {"name": book.name, "version": book.version, "operations": told}
        terminal.echo(json.dumps({**whole, "values": [*book.values]}, indent=2))
    elif operation is not None:
        _operation(book.operations[operation])
    else:
        _overview(book)


def signature(operation: Declared) -> str:
    """`get(path, options?)`."""
    parts = [
        f"...{item.name.lstrip('.')}" if item.rest else f"{item.name}{'?' * item.optional}"
        for item in operation.parameters
    ]
    return f"{operation.name}({', '.join(parts)})"


def _overview(book: Manual) -> None:
    terminal.echo(f"{book.name}@{book.version}", bold=True)
    _paragraph(book.description, "  ")
    if book.credential:
        terminal.echo("\ncredential", bold=True)
        for field in book.credential:
            words = f"{field.name}{' (needed)' if field.required else ''}"
            terminal.row(f"  {words:<24} {_first(field.description)}")
    terminal.echo("\noperations", bold=True)
    names = [*book.operations]
    for name in names[: book.own]:
        terminal.row(f"  {signature(book.operations[name])}")
        terminal.row(f"      {_first(book.operations[name].description)}", dim=True)
    for title, others in (("of language-common", names[book.own :]), ("values", book.values)):
        if others:
            terminal.echo(f"\n{title}", bold=True)
            _paragraph(", ".join(others), "  ")
    terminal.echo(f"\none of them: holdfast adaptors docs {book.name} {names[0] if names else ''}")


def _operation(operation: Declared) -> None:
    terminal.echo(signature(operation), bold=True)
    _paragraph(operation.description, "  ")
    for item in operation.parameters:
        kind = f" ({item.kind})" if item.kind else ""
        terminal.row(f"  {item.name}{kind}", fg="cyan")
        _paragraph(item.description, "      ")
    for example in operation.examples:
        caption = _CAPTION.match(example)
        terminal.echo(f"\n  {caption[1]}" if caption else "\n  example", bold=True)
        code = example[caption.end() :] if caption else example
        terminal.echo(textwrap.indent(code.strip("\n"), "    "))


def _paragraph(text: str, indent: str) -> None:
    for part in re.split(r"\n\s*\n", text.strip()):
        if part:
            lines = textwrap.wrap(" ".join(part.split()), _WIDTH - len(indent))
            terminal.echo(textwrap.indent("\n".join(lines), indent))


def _first(text: str) -> str:
    """The first sentence, on one line."""
    line = " ".join(text.split())
    found = re.match(r".{1,140}?[.!](?= |$)", line)
    return found[0] if found else textwrap.shorten(line, 140, placeholder=" …")


def _json(operation: Declared) -> JsonObject:
    parameters: list[JsonObject] = [
        {"name": item.name, "kind": item.kind, "description": item.description,
         "optional": item.optional, "rest": item.rest}
        for item in operation.parameters
    ]  # fmt: skip
    return {"name": operation.name, "signature": signature(operation),
            "description": operation.description, "parameters": [*parameters],
            "examples": [*operation.examples]}  # fmt: skip

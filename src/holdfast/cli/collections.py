"""`holdfast collections`: look into the collections of a platform, fill them, take them out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

import click
import httpx

from holdfast.cli import terminal
from holdfast.cli.kinds import Place
from holdfast.cli.remote import DeployError, Where, call, connected, platform_options
from holdfast.model.items import (
    FORMATS,
    ItemFileError,
    read_items,
    value_of,
    value_text,
    write_items,
)

#: Items of one request, and the characters that they may have together.
_BATCH, _BATCH_CHARACTERS = 1000, 2_000_000
_PAGE = 200

project_option = click.option(
    "--project", envvar="OPENFN_PROJECT_ID", help="Name or id, where several have such a name."
)


form_option = click.option(
    "--format", "form", type=click.Choice(FORMATS), help="[by the file's name, or jsonl]"
)


@click.group("collections")
def collections_group() -> None:
    """Named stores of keys and values that jobs share.

    \b
    holdfast collections list
    holdfast collections set codes kenya '{"iso": "KE"}'
    holdfast collections get codes kenya
    holdfast collections export codes codes.jsonl
    holdfast collections import codes codes.jsonl
    holdfast collections remove codes 'ken*' --yes
    """


@collections_group.command("list")
@project_option
@platform_options
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON.")
def list_command(project: str | None, *, where: Where, as_json: bool) -> None:
    """The collections, with the number of items and their size."""
    with connected(where) as client:
        path = f"/api/projects/{quote(project)}/collections" if project else "/api/collections"
        found = [item["attributes"] for item in _pages(client, path)]
    if as_json:
        terminal.echo(json.dumps(found, indent=2))
        return
    for item in found:
        size = f"{item['items']} items, {item['bytes']} bytes"
        terminal.row(f"{item['project_name']}/{item['name']}  {size}")


@collections_group.command("get")
@click.argument("name")
@click.argument("key", default="*")
@project_option
@click.option("--limit", type=click.IntRange(1), help="So many items at most.")
@platform_options
def get_command(
    name: str, key: str, project: str | None, limit: int | None, *, where: Where
) -> None:
    """Values of a collection: of KEY, or a line of JSON for each that matches (`*`: any text)."""
    with connected(where) as client:
        found = _items(client, name, project, key, limit)
        if "*" in key:
            for item, text in found:
                terminal.echo(value_text({"key": item, "value": value_of(text)}))
            return
        for _, text in found:
            terminal.echo(text)
            return
    message = f"the collection {name} has no item {key!r}"
    raise DeployError(message)


@collections_group.command("set")
@click.argument("name")
@click.argument("key")
@click.argument("value")
@project_option
@platform_options
def set_command(name: str, key: str, value: str, project: str | None, *, where: Where) -> None:
    """Store VALUE under KEY. `-` reads it from the standard input.

    A value that is no JSON is stored as the text that it is.
    """
    text = sys.stdin.read() if value == "-" else value
    with connected(where) as client:
        _put(client, name, project, [(key, value_text(value_of(text)))])


@collections_group.command("remove")
@click.argument("name")
@click.argument("key")
@project_option
@click.option("--dry-run", is_flag=True, help="Say which items, remove none.")
@click.option("--yes", is_flag=True, help="Do not ask before many are removed.")
@platform_options
def remove_command(
    name: str, key: str, project: str | None, *, dry_run: bool, yes: bool, where: Where
) -> None:
    """Remove the item of KEY, or all that match it (`*`: any text)."""
    with connected(where) as client:
        if dry_run:
            for item, _ in _items(client, name, project, key, None):
                terminal.echo(item)
            return
        if "*" in key and not yes:
            click.confirm(f"Remove all items of {name} that match {key}?", abort=True)
        project_id = _project_id(client, project)
        path = f"/collections/{quote(name)}"
        gone = call(client, "DELETE", path, key=key, project_id=project_id)["deleted"]
    terminal.echo(f"{gone} removed")


@collections_group.command("export")
@click.argument("name")
@click.argument("file", type=Place(allow_dash=True), default="-")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="[by the file's name, or jsonl]"
)
@project_option
@platform_options
def export_command(
    name: str, file: Path, form: str | None, project: str | None, *, where: Where
) -> None:
    """Write all items to FILE (`-`: the standard output), however many there are."""
    with connected(where) as client, _opened(file, "w") as target:
        items = _shown(_items(client, name, project, "*", None))
        _say_count(write_items(items, target, _form(file, form)), "exported")


@collections_group.command("import")
@click.argument("name")
@click.argument("file", type=Place(allow_dash=True))
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="[by the file's name, or jsonl]"
)
@project_option
@platform_options
def import_command(
    name: str, file: Path, form: str | None, project: str | None, *, where: Where
) -> None:
    """Store all items of FILE (`-`: the standard input), in batches. Other items stay.

    What was stored before a mistake in the file stays stored: mend it and import it again.
    """
    with connected(where) as client, _opened(file, "r") as source:
        try:
            count = 0
            for batch in _batches(_shown(read_items(source, _form(file, form)))):
                _put(client, name, project, batch)
                count += len(batch)
            _say_count(count, "imported")
        except UnicodeDecodeError as error:
            message = f"{file}: not a text file in UTF-8"
            raise ItemFileError(message) from error


def _form(file: Path, form: str | None) -> str:
    ending = file.suffix.removeprefix(".").replace("ndjson", "jsonl")
    return form or (ending if ending in FORMATS else "jsonl")


@contextmanager
def _opened(file: Path, mode: str) -> Iterator[TextIO]:
    if str(file) == "-":
        yield sys.stdin if mode == "r" else sys.stdout
        return
    try:
        # line ends within values are part of them
        with file.open(mode, encoding="utf-8", newline="") as opened:
            yield opened  # type: ignore[misc] # it is text
    except OSError as error:
        message = f"{file}: {error.strerror}"
        raise DeployError(message) from error


def _shown(items: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Says on a terminal how far it is: every thousand items."""
    live = sys.stderr.isatty()
    for count, item in enumerate(items, 1):
        yield item
        if live and count % 1000 == 0:
            click.echo(f"\r{count} items", nl=False, err=True)


def _say_count(count: int, done: str) -> None:
    """Only when all of them are there."""
    start = "\r" if sys.stderr.isatty() else ""
    terminal.echo(f"{start}{count} {'item' if count == 1 else 'items'} {done}", err=True)


def _batches(items: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """Of a bounded size; a key that comes again begins a new one."""
    batch: dict[str, str] = {}
    size = 0
    for key, text in items:
        if key in batch or len(batch) >= _BATCH or size + len(text) > _BATCH_CHARACTERS:
            if batch:
                yield [*batch.items()]
            batch, size = {}, 0
        batch[key] = text
        size += len(text)
    if batch:
        yield [*batch.items()]


def _put(
    client: httpx.Client, name: str, project: str | None, items: list[tuple[str, str]]
) -> None:
    body = {"items": [{"key": key, "value": text} for key, text in items]}
    project_id = _project_id(client, project)
    call(client, "POST", f"/collections/{quote(name)}", body, project_id=project_id)


def _items(
    client: httpx.Client, name: str, project: str | None, key: str, limit: int | None
) -> Iterator[tuple[str, str]]:
    """Items that match, a page at a time."""
    query: dict[str, Any] = {"key": key, "project_id": _project_id(client, project)}
    left = limit
    while left is None or left > 0:
        query["limit"] = _PAGE if left is None else min(_PAGE, left)
        page = call(client, "GET", f"/collections/{quote(name)}", **query)
        for item in page["items"]:
            yield item["key"], item["value"]
        left = None if left is None else left - len(page["items"])
        if page["cursor"] is None:
            return
        query["cursor"] = page["cursor"]


def _project_id(client: httpx.Client, project: str | None) -> str | None:
    """The id of a project of this name or id; None: none was named."""
    if project is None:
        return None
    return str(call(client, "GET", f"/api/projects/{quote(project)}")["data"]["id"])


def _pages(client: httpx.Client, path: str) -> Iterator[dict[str, Any]]:
    """All entries of a list of the API."""
    page = 1
    while True:
        answer = call(client, "GET", path, page=page, page_size=100)
        yield from answer["data"]
        if page >= answer["meta"]["total_pages"]:
            return
        page += 1

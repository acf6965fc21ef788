"""`holdfast adaptors`: install, list, verify, and carry adaptors to machines without a network."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import click

from holdfast.adaptors import Event, InstallEvent, Specifier, Store, default_store_root
from holdfast.adaptors.bundle import this_platform
from holdfast.adaptors.transfer import load_bundle, save_bundle
from holdfast.cli import terminal
from holdfast.cli.adaptordocs import manual_of, show_manual
from holdfast.cli.kinds import Place
from holdfast.cli.planfile import read_document
from holdfast.model.adaptor_name import full_name
from holdfast.model.errors import HoldfastError, UsageError
from holdfast.model.json import Json, JsonObject
from holdfast.worker.options import paths

_WORDS = {
    Event.RESOLVED: "{specifier} is version {version}",
    Event.WAITING: "{specifier}: another process installs it, waiting",
    Event.INSTALLING: "{specifier}: installing",
    Event.RETRYING: "{specifier}: the registry does not answer ({message}), trying again",
    Event.DAMAGED: "{specifier}: its files were changed, installing it again",
    Event.INSTALLED: "{specifier}: ready",
}


class DamagedError(HoldfastError):
    """Installed adaptors are not as they were installed."""

    exit_code = 1


@click.group("adaptors")
@click.option(
    "--store",
    type=Place(file_okay=False),
    help="The adaptor store. Default: WORKER_REPO_DIR, else adaptors in the data folder.",
)
@click.pass_context
def adaptors_group(context: click.Context, store: Path | None) -> None:
    """Install, list, bundle and load adaptors.

    \b
    holdfast adaptors install http common@3.3.4      from the npm registry
    holdfast adaptors list                           what is installed
    holdfast adaptors bundle project.yaml -o a.tgz   all that a project needs, in one file
    holdfast adaptors load a.tgz                     on the machine without a network
    """
    context.obj = _store(store or default_store_root(os.environ))


def _store(root: Path, *, flatten: bool = True) -> Store:
    return Store(
        root,
        monorepos=paths(os.environ.get("OPENFN_ADAPTORS_REPO", "")),
        flatten=flatten,
        aliases=False,
    )


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


@adaptors_group.command("install")
@click.argument("specifiers", nargs=-1, required=True, metavar="SPEC…")
@click.option(
    "--as-npm",
    is_flag=True,
    help="Keep the files as npm lays them out: slower, for when a joined adaptor misbehaves.",
)
@as_json
@click.pass_obj
def install_command(
    store: Store, specifiers: tuple[str, ...], as_npm: bool, as_json: bool
) -> None:
    """Install adaptors. `latest`, other tags and ranges are looked up anew.

    \b
    holdfast adaptors install common
    holdfast adaptors install @openfn/language-http@7.2.10
    """
    if as_npm:
        store = _store(store.root, flatten=False)
    wanted = [full_name(name) for name in specifiers]
    found = asyncio.run(store.ensure(wanted, on_event=_progress, refresh=True))
    if as_json:
        _print([adaptor.to_option() for adaptor in found.values()])
    else:
        for adaptor in found.values():
            terminal.echo(str(adaptor))


@adaptors_group.command("list")
@as_json
@click.pass_obj
def list_command(store: Store, as_json: bool) -> None:
    """Show what is installed, and which versions tags and ranges stand for."""
    items = store.installed()
    resolutions = store.resolutions.all()
    if as_json:
        listed: list[Json] = [
            record.at(folder).to_option()
            | {"bytes": record.size, "files": record.files, "joined": not record.not_flat}
            for folder, record in items
        ]
        _print({"adaptors": listed, "resolutions": dict(resolutions), "store": str(store.root)})
        return
    if not items:
        terminal.echo(f"No adaptors in {store.root}", err=True)
    for _, record in items:
        name = f"{record.name}@{record.version}"
        line = f"{name:<44} {record.size / 1e6:7.1f} MB  {record.files:6} files"
        if record.not_flat:
            line += f"  (as npm has it: {record.not_flat})"
        terminal.echo(line)
    for specifier, version in sorted(resolutions.items()):
        terminal.echo(f"{specifier} → {version}")


@adaptors_group.command("verify")
@as_json
@click.pass_obj
def verify_command(store: Store, as_json: bool) -> None:
    """Read every installed file and compare it with what was installed. Exit code 1: damaged."""
    results: dict[str, bool] = {}
    for folder, record in store.installed():
        name = f"{record.name}@{record.version}"
        # Two builds of one version may lie side by side: the name is whole if both are.
        results[name] = store.is_whole(folder, record) and results.get(name, True)
        if not as_json:
            terminal.echo(f"{name:<44} {'whole' if results[name] else 'DAMAGED'}")
    damaged = [name for name, whole in results.items() if not whole]
    if as_json:
        _print({name: "whole" if whole else "damaged" for name, whole in results.items()})
    if damaged:
        message = f"damaged: {', '.join(damaged)}"
        raise DamagedError(message, fix="Install them again: holdfast adaptors install NAME.")


@adaptors_group.command("bundle")
@click.argument("file", type=Place(exists=True, dir_okay=False))
@click.option(
    "-o",
    "--output",
    required=True,
    type=Place(dir_okay=False),
    help="The bundle to write.",
)
@as_json
@click.pass_obj
def bundle_command(store: Store, file: Path, output: Path, as_json: bool) -> None:
    """Put every adaptor that a project or workflow FILE names into one file.

    \b
    holdfast adaptors bundle project.yaml -o adaptors.tgz
    """
    wanted = named_adaptors(read_document(file))
    if not wanted:
        message = f"{file} names no adaptors"
        raise UsageError(message, fix="Give a project file or a workflow with adaptors.")
    contents = asyncio.run(save_bundle(store, wanted, output, on_event=_progress))
    names = [f"{item.record.name}@{item.record.version}" for item in contents.adaptors]
    size = output.stat().st_size
    if as_json:
        _print({"file": str(output), "bytes": size, "adaptors": list(names)})
    else:
        terminal.echo(f"{output}: {len(names)} adaptors, {size / 1e6:.1f} MB")
        for name in names:
            terminal.echo(f"  {name}")


@adaptors_group.command("load")
@click.argument("file", type=Place(exists=True, dir_okay=False))
@as_json
@click.pass_obj
def load_command(store: Store, file: Path, as_json: bool) -> None:
    """Take all adaptors from a bundle FILE into the store. Needs no network."""
    found, made_for = asyncio.run(load_bundle(store, file, on_event=_progress))
    if made_for != this_platform():
        terminal.echo(
            f"note: the bundle was made on {made_for}, this is {this_platform()}; adaptors with "
            "programs of their own may not work",
            err=True,
            fg="yellow",
        )
    if as_json:
        _print([adaptor.to_option() for adaptor in found])
    else:
        for adaptor in found:
            terminal.echo(str(adaptor))


@adaptors_group.command("docs")
@click.argument("name")
@click.argument("operation", required=False)
@as_json
@click.pass_obj
def docs_command(store: Store, name: str, operation: str | None, as_json: bool) -> None:
    """What the adaptor NAME offers: its credential, its operations, one OPERATION with examples.

    \b
    holdfast adaptors docs http
    holdfast adaptors docs common@3.3.4 each
    """
    show_manual(manual_of(store, name, _progress), operation, as_json=as_json)


def named_adaptors(document: Json) -> list[str]:
    """Every adaptor named anywhere in a project or workflow, whatever its form, sorted.

    Raises AutoinstallError for a name that is none.
    """
    found: set[str] = set()
    waiting: list[Json] = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            for key, item in value.items():
                if key == "adaptor" and isinstance(item, str):
                    found.add(full_name(item))
                elif key == "adaptors" and isinstance(item, list):
                    found |= {full_name(name) for name in item if isinstance(name, str)}
                else:
                    waiting.append(item)
    for name in found:
        Specifier.parse(name)
    return sorted(found)


def _progress(event: InstallEvent) -> None:
    words = _WORDS.get(event.event)
    if words is not None:
        text = words.format(
            specifier=event.specifier, version=event.version, message=event.message
        )
        if event.event is Event.INSTALLED and event.seconds:
            text += f" after {event.seconds:.1f} s"
        terminal.echo(text, err=True, dim=True)


def _print(value: JsonObject | list[JsonObject]) -> None:
    terminal.echo(json.dumps(value, indent=2))

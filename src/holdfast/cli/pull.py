"""`holdfast pull`: a project of a platform as files."""

from __future__ import annotations

import json
from pathlib import Path

import click

from holdfast.cli import terminal
from holdfast.cli.checkout import FORMS, Checkout, checkout_of, fetched_project, locally_changed
from holdfast.cli.kinds import Place
from holdfast.cli.remote import DeployError, Where, base_of, call, connected, platform_options
from holdfast.model.json import JsonObject
from holdfast.platform.project.folder import is_folder


@click.command(
    "pull",
    epilog="""\b
Examples:
  holdfast pull examples --to pulled
  holdfast pull examples --to fetched/project.yaml --form 1
""",
)
@click.argument("project", required=False)
@click.option("--to", type=Place(), default=".", help="Folder, or file for --form 1 and 2.  [.]")
@click.option(
    "--form",
    type=click.Choice(FORMS),
    help="openfn.yaml with a file for each workflow, or one file of form 1 or 2.  [folder]",
)
@click.option("--force", is_flag=True, help="Overwrite changes in the files.")
@click.option("--dry-run", is_flag=True, help="Say what would be written, write nothing.")
@platform_options
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON.")
def pull_command(
    project: str | None,
    to: Path,
    form: str | None,
    *,
    where: Where,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write PROJECT (its name or id) as files that `holdfast deploy` and `openfn` read.

    Without PROJECT, the one of the files in --to is fetched again. Files that were changed since
    they were fetched are kept: then nothing is written.
    """
    form = form or ("folder" if not to.suffix else "1")
    target = to if form == "folder" or to.suffix else to / "project.yaml"
    with connected(where) as client:
        local = fetched_project(target) if is_folder(target) or target.is_file() else None
        asked = project or (local.id or local.name if local else None)
        if asked is None:
            message = "which project?"
            raise DeployError(message, fix="Give its name or id: holdfast pull NAME.")
        document: JsonObject = call(client, "GET", f"/api/provision/{asked}")["data"]
        found = checkout_of(document, base_of(client), target, form)
        names = locally_changed(local, document) if local is not None and not force else []
        if names and found.changed():
            message = "the files were changed since they were fetched: " + ", ".join(names)
            raise DeployError(message, fix="Deploy them, or overwrite them with --force.")
    _tell(found, target, as_json=as_json, dry_run=dry_run)
    if not dry_run:
        _write(found)


def _write(found: Checkout) -> None:
    try:
        found.write()
    except OSError as error:
        message = f"{error.filename}: {error.strerror}"
        raise DeployError(message) from error


def _tell(found: Checkout, target: Path, *, as_json: bool, dry_run: bool) -> None:
    written = [str(path) for path in found.changed()]
    removed = [str(path) for path in found.gone]
    if as_json:
        told = {"at": str(target), "written": written, "removed": removed, "dry_run": dry_run}
        terminal.echo(json.dumps(told, indent=2))
        return
    for sign, paths in (("~", written), ("-", removed)):
        for path in paths:
            terminal.echo(f"{sign} {path}")
    if not written and not removed:
        terminal.echo(f"{target} is up to date")

"""`holdfast diff`: what `holdfast deploy` would change on the platform."""

from __future__ import annotations

import json
from pathlib import Path

import click

from holdfast.cli import terminal
from holdfast.cli.checkout import fetched_project
from holdfast.cli.kinds import Place
from holdfast.cli.remote import Where, call, connected, platform_options
from holdfast.model.json import Json
from holdfast.platform.project.deployment import to_payload
from holdfast.platform.project.difference import Change, conflicts, difference, lines_between

_COLORS = {"+": "green", "-": "red", "~": "yellow"}


@click.command(
    "diff",
    epilog="""\b
Exit codes: 0 nothing would change, 1 something would, 2 it cannot be said.

\b
Examples:
  holdfast diff project.yaml
""",
)
@click.argument("file", type=Place(), default=".")
@platform_options
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON.")
@click.pass_context
def diff_command(
    context: click.Context,
    file: Path,
    *,
    where: Where,
    as_json: bool,
) -> None:
    """Compare FILE (a project file, or a folder with openfn.yaml) with the platform.

    Shows each part that would be new, gone or different, and what others have changed there since
    the files were fetched.
    """
    project = fetched_project(file)
    with connected(where) as client:
        found = call(client, "GET", f"/api/provision/{project.name}", missing=True)
        current = (found or {}).get("data")
        told = conflicts(project, current)
        payload = to_payload(project, current)
        answer = call(client, "POST", "/api/provision", payload, dry_run="true")
    changes = difference(current, answer["data"])
    if as_json:
        entries: list[Json] = [change.as_json() for change in changes]
        said: Json = {"project": project.name, "changes": entries, "conflicts": [*told]}
        terminal.echo(json.dumps(said, indent=2))
    else:
        for line in told:
            terminal.echo(f"! {line}", fg="red")
        for change in changes:
            _show(change)
        if not changes and not told:
            terminal.echo(f"{project.name}: nothing to change")
    context.exit(1 if changes else 0)


def _show(change: Change) -> None:
    terminal.echo(str(change), fg=_COLORS[change.sign])
    if "body" in change.members:
        for line in lines_between(*change.members["body"]):
            terminal.echo(f"    {line}")

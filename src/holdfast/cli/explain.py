"""`holdfast explain`: what a code of the catalogue means, with an example."""

from __future__ import annotations

import json

import click

from holdfast.cli import terminal
from holdfast.diagnosis.catalogue import CATALOGUE, expanded
from holdfast.diagnosis.near import listed, nearest
from holdfast.model.errors import UsageError


@click.command("explain")
@click.argument("code", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON.")
def explain_command(code: str | None, *, as_json: bool) -> None:
    """Show what CODE means, what to change, and an example; without CODE list all codes.

    \b
    holdfast explain HF1101
    """
    if code is None:
        for entry in CATALOGUE.values():
            terminal.echo(f"{entry.code}  {entry.title}")
        return
    found = CATALOGUE.get(code.upper().strip())
    if found is None:
        message = f"there is no code {code}"
        near = nearest(code, CATALOGUE, 3)
        raise UsageError(
            message,
            fix=f"Near it: {listed(near)}." if near else "`holdfast explain` lists all codes.",
        )
    if as_json:
        names = ("code", "title", "turn", "what", "change", "example")
        terminal.echo(json.dumps({name: getattr(found, name) for name in names}, indent=2))
    else:
        terminal.echo(expanded(found))

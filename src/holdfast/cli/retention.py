"""`holdfast retention`: how long a project keeps documents, logs and runs."""

from __future__ import annotations

from typing import Any

import click
import httpx

from holdfast.cli import terminal
from holdfast.cli.remote import Where, call, connected, platform_options

_KINDS = ("documents", "logs", "runs")
_KEEP = "keep"


@click.group("retention")
def retention_group() -> None:
    """How long a project keeps documents, logs and runs.

    \b
    holdfast retention set examples --documents 30 --logs 90 --runs 365
    holdfast retention apply examples --dry-run
    """


class _Days(click.ParamType[int | str]):
    """A number of days, or `keep`."""

    name = "days"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        if value == _KEEP:
            return value
        if not value.isascii() or not value.isdigit() or int(value) == 0:
            self.fail(f"{value!r} is neither a number of days above 0 nor '{_KEEP}'.", param, ctx)
        return int(value)


@retention_group.command("show")
@click.argument("project")
@platform_options
def show_command(project: str, *, where: Where) -> None:
    """What is kept for how long, and how much is due to be removed."""
    with connected(where) as client:
        _show(call(client, "GET", f"/api/projects/{project}/retention")["data"])


@retention_group.command("set")
@click.argument("project")
@click.option("--documents", type=_Days(), help="Days, or 'keep': inputs and outputs.")
@click.option("--logs", type=_Days(), help="Days, or 'keep': log lines.")
@click.option("--runs", type=_Days(), help="Days, or 'keep': runs with all they have.")
@platform_options
def set_command(project: str, *, where: Where, **days: int | str | None) -> None:
    """Change what is kept for how long. It is removed within a minute after it is due."""
    given = {kind: days[kind] for kind in _KINDS if days[kind] is not None}
    body = {kind: None if value == _KEEP else value for kind, value in given.items()}
    with connected(where) as client:
        _show(call(client, "PUT", f"/api/projects/{project}/retention", body)["data"])


@retention_group.command("apply")
@click.argument("project")
@click.option("--dry-run", is_flag=True, help="Only count.")
@platform_options
def apply_command(project: str, *, where: Where, dry_run: bool) -> None:
    """Remove now what is due."""
    with connected(where) as client:
        # no limit of time: it may be much
        client.timeout = httpx.Timeout(None)
        path = f"/api/projects/{project}/retention/apply"
        done = call(client, "POST", path, {"dry_run": dry_run})
    word = "due" if dry_run else "removed"
    for kind, number in done["data"].items():
        terminal.echo(f"{kind}: {number} {word}")


def _show(told: dict[str, Any]) -> None:
    for kind in _KINDS:
        days = told[kind]
        period = "for ever" if days is None else f"{days} days"
        terminal.echo(f"{kind}: kept {period}, {told['due'].get(kind, 0)} due")
    terminal.echo(f"policy: {told['policy']}")

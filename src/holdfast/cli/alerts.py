"""`holdfast alerts`: whom a project tells when something goes wrong."""

from __future__ import annotations

from typing import Any

import click

from holdfast.cli import terminal
from holdfast.cli.remote import Where, call, connected, platform_options


@click.group("alerts")
def alerts_group() -> None:
    """Whom a project tells when runs fail, recover, are lost, or wait for long.

    \b
    holdfast alerts add examples --mail ops@example.org
    holdfast alerts add examples --webhook https://chat.example.org/x --event failure --digest 60
    holdfast alerts test examples 1f0c…
    """


@alerts_group.command("ls")
@click.argument("project")
@platform_options
def ls_command(project: str, *, where: Where) -> None:
    """List them, with what became of what was told."""
    with connected(where) as client:
        found = call(client, "GET", f"/api/projects/{project}/alerts")["data"]
    for item in found:
        events = ", ".join(item["events"])
        digest = f", digest of {item['digest_minutes']} min" if item["digest_minutes"] else ""
        terminal.row(f"{item['id']}  {item['to']}  {events}{digest}")
        problem = f" ({item['problem']})" if item["problem"] else ""
        counts = f"told {item['told']}, waiting {item['waiting']}, given up {item['given_up']}"
        terminal.row(f"  {counts}{problem}")
    if not found:
        terminal.echo("nobody is told")


@alerts_group.command("add")
@click.argument("project")
@click.option("--webhook", help="An https address that takes JSON.")
@click.option("--mail", help="An e-mail address.")
@click.option(
    "--event",
    "events",
    multiple=True,
    type=click.Choice(["first_failure", "recovery", "lost", "failure", "queue_age"]),
    help="Tell of this; may be repeated.  [default: first_failure, recovery, lost]",
)
@click.option("--queue-seconds", type=int, help="How long a run may wait.  [default: 300]")
@click.option("--digest", type=int, help="Minutes whose alerts come in one.  [default: 0]")
@platform_options
def add_command(
    project: str, events: tuple[str, ...], digest: int | None, *, where: Where, **given: Any
) -> None:
    """Tell somebody."""
    body = {**given, "events": list(events) or None, "digest_minutes": digest}
    told = {name: value for name, value in body.items() if value is not None}
    with connected(where) as client:
        made = call(client, "POST", f"/api/projects/{project}/alerts", told)["data"]
    terminal.echo(made["id"])


@alerts_group.command("rm")
@click.argument("project")
@click.argument("alert")
@platform_options
def rm_command(project: str, alert: str, *, where: Where) -> None:
    """Tell somebody no more."""
    with connected(where) as client:
        call(client, "DELETE", f"/api/projects/{project}/alerts/{alert}")
    terminal.echo("removed")


@alerts_group.command("test")
@click.argument("project")
@click.argument("alert")
@platform_options
def test_command(project: str, alert: str, *, where: Where) -> None:
    """Send a test; `holdfast alerts ls` says whether it arrived."""
    with connected(where) as client:
        call(client, "POST", f"/api/projects/{project}/alerts/{alert}/test")
    terminal.echo("on its way")

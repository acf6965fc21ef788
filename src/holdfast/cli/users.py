"""`holdfast users`: who may log in to a platform."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

import click
import httpx

from holdfast.cli import terminal
from holdfast.cli.deploy import address_of, call, client_for, token_of
from holdfast.cli.kinds import Place
from holdfast.paths import data_folder

F = TypeVar("F", bound=Any)


def where(command: F) -> F:
    """The options that name a platform and the key to it."""
    for option in (
        click.option("--data", type=Place(), help="Data folder of the platform here."),
        click.option(
            "--token", envvar="HOLDFAST_TOKEN", help="A token.  [default: found in --data]"
        ),
        click.option(
            "--url", envvar="HOLDFAST_URL", help="The platform.  [default: the one running here]"
        ),
    ):
        command = option(command)
    return command


def connected(
    url: str | None, token: str | None, data: Path | None
) -> AbstractContextManager[httpx.Client]:
    """A client of the platform that these options name. Raises DeployError."""
    folder = data_folder(os.environ, data)
    return client_for((url or address_of(folder)).rstrip("/"), token or token_of(folder))


@click.group("users")
def users_group() -> None:
    """Add, list and disable accounts of a running platform.

    A new person gets a link that logs in once, and sets a password then.
    """


@users_group.command(
    "add",
    epilog="""\b
Examples:
  holdfast users add jo@example.org --name Jo
  holdfast users add ann@example.org --project examples --role editor
  holdfast users add sam@example.org --administrator
""",
)
@click.argument("email")
@click.option("--name", help="What others see.  [default: the address]")
@click.option("--administrator", is_flag=True, help="May see and change everything.")
@click.option("--project", help="Make them a member of this project.")
@click.option(
    "--role",
    type=click.Choice(["viewer", "editor", "admin", "owner"]),
    default="viewer",
    show_default=True,
    help="What they are in --project.",
)
@where
def add_command(
    *,
    email: str,
    name: str | None,
    project: str | None,
    role: str,
    url: str | None,
    token: str | None,
    data: Path | None,
    administrator: bool,
) -> None:
    """Make an account for EMAIL and print the link that lets its owner in."""
    with connected(url, token, data) as client:
        asked = {"email": email, "name": name or email, "administrator": administrator}
        made = call(client, "POST", "/api/users", asked)
        if project is not None:
            path = f"/api/projects/{project}/members/{made['data']['id']}"
            call(client, "PUT", path, {"role": role})
        terminal.echo(str(client.base_url).rstrip("/") + made["path"])
    minutes = made["expires_in_seconds"] // 60
    again = f"`holdfast users link {email}` makes another"
    terminal.echo(f"good once and for {minutes:g} minutes; {again}", err=True)


@users_group.command("link", epilog="\b\nExamples:\n  holdfast users link jo@example.org\n")
@click.argument("email")
@where
def link_command(email: str, url: str | None, token: str | None, data: Path | None) -> None:
    """Print a link that lets the owner of the account EMAIL in, once."""
    with connected(url, token, data) as client:
        made = call(client, "POST", f"/api/users/{email}/links")
        terminal.echo(str(client.base_url).rstrip("/") + made["path"])


@users_group.command("list", epilog="\b\nExamples:\n  holdfast users list\n")
@where
def list_command(url: str | None, token: str | None, data: Path | None) -> None:
    """List all accounts."""
    with connected(url, token, data) as client:
        for user in call(client, "GET", "/api/users")["data"]:
            marks = [name for name in ("administrator", "disabled") if user[name]]
            terminal.row("  ".join([user["email"] or "-", user["name"], *marks]))


def _change(
    email: str, values: dict[str, bool], url: str | None, token: str | None, data: Path | None
) -> None:
    with connected(url, token, data) as client:
        call(client, "PATCH", f"/api/users/{email}", values)


@users_group.command("disable", epilog="\b\nExamples:\n  holdfast users disable jo@example.org\n")
@click.argument("email")
@where
def disable_command(email: str, url: str | None, token: str | None, data: Path | None) -> None:
    """Let nobody in with the account EMAIL: its sessions and tokens end at once."""
    _change(email, {"disabled": True}, url, token, data)


@users_group.command("enable", epilog="\b\nExamples:\n  holdfast users enable jo@example.org\n")
@click.argument("email")
@where
def enable_command(email: str, url: str | None, token: str | None, data: Path | None) -> None:
    """Let the owner of the account EMAIL in again."""
    _change(email, {"disabled": False}, url, token, data)

"""`holdfast open`: the web page of a running platform, without typing a token."""

from __future__ import annotations

import os
from pathlib import Path

import click

from holdfast.cli import terminal
from holdfast.cli.deploy import address_of, call, client_for, token_of
from holdfast.cli.kinds import Place
from holdfast.paths import data_folder


@click.command(
    "open",
    epilog="""\b
Examples:
  holdfast open
  holdfast open --data ./data --print
  holdfast open --url https://flows.example.org --token "$TOKEN"
""",
)
@click.option(
    "--url", envvar="HOLDFAST_URL", help="The platform.  [default: the one running here]"
)
@click.option("--token", envvar="HOLDFAST_TOKEN", help="Admin token.  [default: found in --data]")
@click.option("--data", type=Place(), help="Data folder of the platform here.")
@click.option("--print", "only_print", is_flag=True, help="Show the link, start no browser.")
def open_command(
    url: str | None, token: str | None, data: Path | None, *, only_print: bool
) -> None:
    """Make a link that logs a browser in, print it, and open it.

    The link works once and within ten minutes. Whoever has it can use it: do not pass it on.
    """
    folder = data_folder(os.environ, data)
    base = (url or address_of(folder)).rstrip("/")
    with client_for(base, token or token_of(folder)) as client:
        link = base + call(client, "POST", "/api/session_links")["path"]
    terminal.echo(link)
    if not only_print:
        click.launch(link)

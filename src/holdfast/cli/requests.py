"""`holdfast requests`: what a run asked of other systems, and what is not known of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from holdfast.cli import terminal
from holdfast.cli.journal import find
from holdfast.cli.kinds import worker_data_option
from holdfast.engine.requests import UNKNOWN, requests_of
from holdfast.journal import JournalReader
from holdfast.paths import data_folder


@click.command("requests")
@click.argument("run")
@worker_data_option
@click.option("--json", "as_json", is_flag=True, help="Print the requests as JSON.")
def requests_command(run: str, data: Path | None, *, as_json: bool) -> None:
    """Show every request of RUN (its id, or how that begins): where to, what became of it.

    A request that was sent and has no answer is under way: whether it was carried out is not
    known. Those beyond the first thousand are counted, by host and status.
    Connections are seen from outside of the run: one on which it told of no request is shown, too.
    Values in queries are never kept.

    \b
    holdfast requests 4f1c
    """
    with JournalReader(find(data_folder(os.environ, data), run).journal) as reader:
        found = requests_of(reader.read())
    if as_json:
        told = [request.to_json() for request in found.known.values()]
        whole = {
            "requests": told,
            "counts": found.counts(),
            "beyond": found.beyond.to_json(),
            "untold_connections": found.untold,
            "may_be_missing": found.cut,
        }
        terminal.echo(json.dumps(whole, indent=2))
        return
    for request in found.known.values():
        terminal.row(request.row, fg="yellow" if request.fate == UNKNOWN else None)
    for row in found.beyond.rows:
        terminal.row(f"   +  {row}")
    for address, count in found.untold.items():
        words = "connection" if count == 1 else "connections"
        text = f"{count} {words} to {address} on which the run told of no request"
        terminal.row(f"   ?  {text}", fg="yellow")
    if found.cut:
        text = "requests of the last moment may be missing: what wrote the journal died"
        terminal.row(f"   ?  {text}", fg="yellow")
    counts = ", ".join(f"{count} {fate}" for fate, count in found.counts().items())
    terminal.echo(counts if found.known else "the run made no requests that it told of")

"""`holdfast postmortem`: why a run did not succeed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from holdfast.cli import terminal
from holdfast.cli.journal import find
from holdfast.cli.kinds import worker_data_option
from holdfast.cli.problems import problems
from holdfast.engine import postmortem
from holdfast.journal import JournalReader
from holdfast.paths import data_folder

#: Runs whose journals are read to tell how often a problem was seen: each takes a millisecond.
_NEWEST = 500


@click.command("postmortem")
@click.argument("run")
@worker_data_option
@click.option("--json", "as_json", is_flag=True, help="Print the whole document.")
def postmortem_command(run: str, data: Path | None, as_json: bool) -> None:
    """Show how a run went and ended, from its journal: RUN is its id, or how that begins.

    \b
    holdfast postmortem 4f1c
    holdfast postmortem 4f1c --json | jq .evidence
    """
    place = data_folder(os.environ, data)
    folder = find(place, run)
    with JournalReader(folder.journal) as reader:
        document = postmortem.build(reader.read())
    with JournalReader(folder.journal) as reader:
        names = postmortem.names_of_steps(reader.read())
    failed = document["diagnosis"] is not None
    found = problems(place, _NEWEST, folder.path) if failed else []
    same = next((item for item in found if folder.path.name in item.runs), None)
    document["problem"] = None if same is None else same.history()
    terminal.echo(json.dumps(document, indent=2) if as_json else postmortem.text(document, names))
    if same is not None and not as_json:
        terminal.echo(f"\nproblem   {same.words}")

"""`holdfast problems`: failures that have the same cause, one line each."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import click

from holdfast.cli import terminal
from holdfast.cli.journal import places
from holdfast.cli.kinds import worker_data_option
from holdfast.diagnosis.ending import Diagnosis, read_diagnosis
from holdfast.diagnosis.entry import TURNS
from holdfast.journal import JournalReader, RunFolder
from holdfast.journal.errors import JournalError
from holdfast.model.json import JsonObject
from holdfast.model.record import Kind
from holdfast.paths import data_folder


@dataclass(slots=True)
class Problem:
    """Runs with the same fingerprint. Times in Unix microseconds."""

    diagnosis: Diagnosis
    first: int
    last: int
    runs: list[str] = field(default_factory=list)

    def to_json(self) -> JsonObject:
        """For `--json`."""
        told: JsonObject = {"count": len(self.runs), "runs": [*self.runs]}
        times: JsonObject = {"first": _moment(self.first), "last": _moment(self.last)}
        return {**self.diagnosis.to_json(), **told, **times}


@click.command("problems")
@worker_data_option
@click.option("--json", "as_json", is_flag=True, help="Print the problems as JSON.")
def problems_command(data: Path | None, *, as_json: bool) -> None:
    """Show the failures of this worker's runs, one line a problem, the latest first.

    Failures are one problem when code, step, message (without its values) and line are the same.
    Runs are known as long as their journals are kept (`WORKER_KEEP_HOURS`).
    """
    found = problems(data_folder(os.environ, data))
    if as_json:
        terminal.echo(json.dumps([item.to_json() for item in found], indent=2))
        return
    for item in found:
        told = item.diagnosis
        terminal.echo(
            f"{told.fingerprint}  {told.code}  {len(item.runs)} x  "
            f"{_moment(item.first)} to {_moment(item.last)}  turn: {TURNS[told.turn]}"
        )
        step = f"{told.step}: " if told.step else ""
        terminal.row(f"    {step}{told.what}")
        terminal.echo(f"    holdfast postmortem {item.runs[-1]}", dim=True)
    if not found:
        terminal.echo("no failures are known here")


def problems(data: Path) -> list[Problem]:
    """The problems of a data folder, the latest first. Journals that are damaged are passed over
    here: `holdfast journal verify` tells of them."""
    found: dict[str, Problem] = {}
    for _, path in places(data):
        told = _ending(path)
        if told is None:
            continue
        diagnosis, at = told
        known = found.setdefault(diagnosis.problem, Problem(diagnosis, at, at))
        known.runs.append(path.name)
        known.first, known.last = min(known.first, at), max(known.last, at)
    return sorted(found.values(), key=lambda item: -item.last)


def _ending(path: Path) -> tuple[Diagnosis, int] | None:
    names: dict[str, str] = {}
    try:
        with JournalReader(RunFolder(path).journal) as reader:
            for record in reader.read():
                if record.kind == Kind.PHASE:
                    body = record.shown()
                    names[str(body.get("step"))] = str(body.get("name") or body.get("step"))
                elif record.kind == Kind.OUTCOME:
                    made = record.shown().get("diagnosis")
                    if not isinstance(made, dict):
                        return None
                    told = read_diagnosis(made)
                    return replace(told, step=names.get(str(told.step), told.step)), record.time_us
    except (OSError, JournalError):
        return None
    return None


def _moment(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")

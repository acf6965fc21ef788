"""`holdfast problems`: failures that have the same cause, one line each."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import click

from holdfast.cli import terminal
from holdfast.cli.journal import last_written, places
from holdfast.cli.kinds import worker_data_option
from holdfast.diagnosis.ending import Diagnosis, read_diagnosis
from holdfast.diagnosis.entry import TURNS
from holdfast.journal import JournalReader, RunFolder
from holdfast.journal.errors import JournalError
from holdfast.model.json import Json, JsonObject
from holdfast.model.record import Kind
from holdfast.paths import data_folder


@dataclass(slots=True)
class Problem:
    """Runs of one workflow with the same fingerprint. Times in Unix microseconds.

    `version`: the first of the workflow that was seen to fail so, where the platform says it;
    `new`: runs of earlier versions are known here, and none of them failed so.
    """

    diagnosis: Diagnosis
    first: int
    last: int
    runs: list[str] = field(default_factory=list)
    version: int | None = None
    new: bool = False

    @property
    def since(self) -> str | None:
        """Since which version, in words."""
        if self.version is None:
            return None
        if self.new:
            return f"new since version {self.version}"
        return f"seen since version {self.version} or longer"

    @property
    def words(self) -> str:
        """How often, since when, since which version."""
        count = len(self.runs)
        times = "once" if count == 1 else f"{count} times, since {_moment(self.first)}"
        return f"{times}, {self.since}" if self.since is not None else times

    def to_json(self) -> JsonObject:
        """For `--json`."""
        return {**self.diagnosis.to_json(), **self.history()}

    def history(self) -> JsonObject:
        """Its runs, times and versions."""
        told: JsonObject = {"count": len(self.runs), "runs": [*self.runs]}
        if self.version is not None:
            told |= {"since_version": self.version, "new": self.new}
        times: JsonObject = {"first": _moment(self.first), "last": _moment(self.last)}
        return {**told, **times}


@click.command("problems")
@worker_data_option
@click.option("--json", "as_json", is_flag=True, help="Print the problems as JSON.")
def problems_command(data: Path | None, *, as_json: bool) -> None:
    """Show the failures of this worker's runs, one line a problem, the latest first.

    Failures are one problem when code, step, message (without its values) and line are the same,
    in the same workflow. New since a version: runs of earlier ones are known, and none failed so.
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
        if item.since is not None:
            terminal.echo(f"    {item.since}", fg="yellow" if item.new else None)
        step = f"{told.step}: " if told.step else ""
        terminal.row(f"    {step}{told.what}")
        terminal.echo(f"    holdfast postmortem {item.runs[-1]}", dim=True)
    if not found:
        terminal.echo("no failures are known here")


def problems(data: Path, newest: int | None = None, besides: Path | None = None) -> list[Problem]:
    """The problems of a data folder, the latest first.

    Of so many of its `newest` runs, and the one `besides`; None: of all. Where some are left out,
    nothing is called new. Damaged journals are passed over (`holdfast journal verify`).
    """
    found: dict[tuple[str, str], Problem] = {}
    oldest: dict[str, int] = {}
    paths = [path for _, path in places(data)]
    whole = newest is None or len(paths) <= newest
    if not whole:
        chosen = sorted(paths, key=last_written)[-(newest or 0) :]
        paths = chosen if besides is None or besides in chosen else [besides, *chosen]
    for path in paths:
        seen = _seen(path)
        if seen is None:
            continue
        workflow, version = seen.workflow
        if version is not None:
            oldest[workflow] = min(version, oldest.get(workflow, version))
        if seen.diagnosis is None:
            continue
        key, at = (workflow, seen.diagnosis.problem), seen.ended
        known = found.setdefault(key, Problem(seen.diagnosis, at, at))
        known.runs.append(path.name)
        known.first, known.last = min(known.first, at), max(known.last, at)
        if version is not None:
            known.version = min(version, known.version or version)
    for (workflow, _), problem in found.items():
        problem.new = whole and problem.version is not None and oldest[workflow] < problem.version
    return sorted(found.values(), key=lambda item: -item.last)


@dataclass(slots=True)
class _Seen:
    """A run that has ended: `workflow` is its id and version, where they are known."""

    workflow: tuple[str, int | None] = ("", None)
    diagnosis: Diagnosis | None = None
    ended: int = 0


def _seen(path: Path) -> _Seen | None:
    names: dict[str, str] = {}
    seen = _Seen()
    try:
        with JournalReader(RunFolder(path).journal) as reader:
            for record in reader.read():
                if record.kind == Kind.PHASE:
                    body = record.shown()
                    names[str(body.get("step"))] = str(body.get("name") or body.get("step"))
                elif record.kind == Kind.PREPARED:
                    seen.workflow = _workflow(record.shown().get("workflow"))
                elif record.kind == Kind.OUTCOME:
                    made, seen.ended = record.shown().get("diagnosis"), record.time_us
                    if isinstance(made, dict):
                        seen.diagnosis = read_diagnosis(made).named(names)
                    return seen
    except (OSError, JournalError):
        return None
    return None


def _workflow(told: Json) -> tuple[str, int | None]:
    if not isinstance(told, dict):
        return "", None
    version = told.get("version")
    return str(told.get("id")), version if isinstance(version, int) else None


def _moment(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")

"""`holdfast journal`: look into the durable records of runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from holdfast.cli import terminal
from holdfast.cli.kinds import Place
from holdfast.journal import (
    DeliveryState,
    JournalError,
    JournalReader,
    Mark,
    Position,
    Record,
    RunFolder,
    folder_name,
    is_locked,
)
from holdfast.model.errors import UsageError
from holdfast.model.json import Json, JsonObject
from holdfast.model.record import Kind
from holdfast.model.visible import visible_line
from holdfast.paths import DATA_VARIABLE, DEFAULT_DATA

_SHOWN = 160  # characters of a body in `show`
_BLOB = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Summary:
    """One run's folder in a line."""

    run: str
    place: str  # open, archive
    state: str
    records: int
    accepted: int
    bytes: int
    since: str
    outcome: str


def places(data: Path) -> Iterator[tuple[str, Path]]:
    """Every run folder below a data folder (`worker/` of `holdfast up` counts), with its place."""
    roots = [root for root in (data, data / "worker") if (root / "journals").is_dir()]
    if not roots:
        message = f"There are no journals in {data}."
        raise UsageError(message, fix="Name a worker's data folder with --data.")
    for root in roots:
        for name, place in (("journals", "open"), ("archive", "archive")):
            folder = root / name
            if folder.is_dir():
                found = [path for path in folder.iterdir() if (path / "journal").exists()]
                for path in sorted(found, key=last_written):
                    yield place, path


def last_written(path: Path) -> tuple[int, str]:
    """By which run folders are sorted: when the journal was written last."""
    return (path / "journal").stat().st_mtime_ns, path.name


def find(data: Path, run: str) -> RunFolder:
    """The folder of a run, by its id or the beginning of it. UsageError if none or several."""
    name = folder_name(run)
    found = [path for _, path in places(data) if path.name.startswith(name)]
    exact = [path for path in found if path.name == name]
    if len(exact) == 1 or len(found) == 1:
        return RunFolder((exact or found)[0])
    if not found:
        message = f"There is no journal of a run {run}."
        raise UsageError(message, fix="`holdfast journal ls` lists them.")
    message = f"Several runs begin with {run}: {', '.join(path.name for path in found[:5])}"
    raise UsageError(message, fix="Give more of the id.")


def summary(place: str, path: Path) -> Summary:
    """Read one journal for its line in `ls`."""
    folder, position = RunFolder(path), _position(path)
    first, last, outcome, size = 0, 0, "", folder.journal.stat().st_size
    try:
        with JournalReader(folder.journal) as reader:
            for record in reader.read():
                first = first or record.time_us
                last = record.sequence
                if record.kind == Kind.OUTCOME:
                    outcome = _outcome(record.shown())
    except JournalError as error:
        outcome = f"unreadable: {error.message}"
    state = position.delivery.name.lower()
    if state == "open":
        state = "running" if is_locked(folder.lock) else "delivering" if outcome else "waiting"
    return Summary(
        path.name, place, state, last, position.sequence, size, _clock(first) if first else "-",
        outcome,
    )  # fmt: skip


def problems(path: Path) -> list[str]:
    """What is wrong with one journal; empty if it is whole."""
    folder = RunFolder(path)
    found: list[str] = []
    try:
        with JournalReader(folder.journal) as reader:
            for record in reader.read():
                found += _record_problems(folder, record)
            if reader.tail_bytes and not is_locked(folder.lock):
                found.append(f"{reader.tail_bytes} bytes behind record {reader.sequence}: torn")
            if _position(path).sequence > reader.sequence:
                found.append("the mark is ahead of the journal: records were lost")
    except (JournalError, OSError) as error:
        found.append(str(error))
    found += [f"{item.name}: was cut off here" for item in path.glob("journal.cut-*")]
    return found


def _record_problems(folder: RunFolder, record: Record) -> Iterator[str]:
    try:
        body = record.json()
    except ValueError:
        yield f"record {record.sequence}: its body is not JSON"
        return
    if folder.path.parent.name != "journals":
        return  # documents are not archived
    for digest in _digests(body):
        blob = folder.path / "blobs" / digest
        if not blob.exists():
            yield f"record {record.sequence}: its document {digest[:12]}… is missing"


def _digests(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        digest = value.get("blob")
        if isinstance(digest, str) and _BLOB.fullmatch(digest):
            yield digest
        for item in value.values():
            yield from _digests(item)


def _position(path: Path) -> Position:
    mark = RunFolder(path).mark
    if not mark.exists():
        return Position(delivery=DeliveryState.OPEN)
    with Mark(mark) as opened:
        return opened.position


def _outcome(body: JsonObject) -> str:
    error = body.get("error_type")
    return f"{body.get('reason')} {error}" if error else str(body.get("reason"))


def _clock(time_us: int) -> str:
    try:
        time = datetime.fromtimestamp(time_us / 1_000_000, UTC)
    except (ValueError, OverflowError, OSError):  # of a damaged record
        return f"{time_us} µs"
    return time.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _as_json(record: Record) -> JsonObject:
    body = record.shown()
    if "token" in body:
        body["token"] = "(sealed)"  # noqa: S105 - the word that stands for it
    kind = Kind(record.kind).name if record.kind in set(Kind) else str(record.kind)
    return {"sequence": record.sequence, "time_us": record.time_us, "kind": kind, "body": body}


_data = click.option(
    "--data",
    type=Place(),
    envvar=DATA_VARIABLE,
    default=DEFAULT_DATA,
    show_default=True,
    help="The worker's data folder.",
)


@click.group("journal")
def journal_group() -> None:
    """Look into the durable records of runs.

    \b
    holdfast journal ls
    holdfast journal show 9d1e0f52
    holdfast journal verify
    holdfast journal export 9d1e0f52 > run.jsonl
    """


@journal_group.command("ls")
@_data
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def ls_command(data: Path, as_json: bool) -> None:
    """List the runs whose journals are here, the newest last."""
    for place, path in places(data):
        row = summary(place, path)
        if as_json:
            terminal.echo(json.dumps({name: getattr(row, name) for name in row.__slots__}))
        else:
            terminal.echo(
                f"{row.since}  {row.run:<36}  {row.state:<10} "
                f"{row.accepted:>6}/{row.records:<6} {row.bytes:>10}  {visible_line(row.outcome)}"
            )


@journal_group.command("show")
@click.argument("run")
@_data
@click.option("--full", is_flag=True, help="Whole bodies, not their beginnings.")
def show_command(run: str, data: Path, full: bool) -> None:
    """Show the records of a run. `>` marks what the platform has not accepted yet."""
    folder = find(data, run)
    accepted = _position(folder.path).sequence
    with JournalReader(folder.journal) as reader:
        for record in reader.read():
            entry = _as_json(record)
            text = json.dumps(entry["body"], ensure_ascii=False)
            if not full and len(text) > _SHOWN:
                text = text[:_SHOWN] + "…"
            mark = " " if record.sequence <= accepted else ">"
            head = f"{mark}{record.sequence:>6} {_clock(record.time_us)} {entry['kind']:<13}"
            terminal.echo(f"{head} {text}")
        if reader.tail_bytes:
            terminal.echo(
                f"       {reader.tail_bytes} bytes behind the last whole record", err=True
            )


@journal_group.command("verify")
@click.argument("run", required=False)
@_data
def verify_command(run: str | None, data: Path) -> int:
    """Check every checksum, number and document; exit code 1 if anything is wrong."""
    folders = [find(data, run).path] if run else [path for _, path in places(data)]
    bad = 0
    for path in folders:
        for problem in problems(path):
            bad += 1
            terminal.echo(f"{path.name}: {problem}")
    terminal.echo(f"{len(folders)} journals, {bad} problems", err=True)
    return 1 if bad else 0


@journal_group.command("export")
@click.argument("run")
@_data
def export_command(run: str, data: Path) -> None:
    """Write every record of a run as a JSON line (no secrets) to standard output."""
    with JournalReader(find(data, run).journal) as reader:
        for record in reader.read():
            terminal.echo(json.dumps(_as_json(record), ensure_ascii=False))

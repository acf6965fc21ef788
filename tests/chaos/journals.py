"""What the archived journals of a storm tell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, count, takewhile
from pathlib import Path
from typing import Any

from holdfast.journal import JournalReader, Record
from holdfast.model.json import JsonObject
from holdfast.model.record import Kind
from holdfast.worker.outbox import events

Key = tuple[object, ...]


@dataclass(slots=True)
class ToldStep:
    """A step as the journal tells it. `output` is its text where that stands in the journal."""

    id: str
    job_id: str
    input_id: str | None
    reason: str | None = None
    output_id: str | None = None
    output: str | None = None


@dataclass(slots=True)
class Archived:
    """One attempt at a run: what its journal holds."""

    began: float = 0.0  # Unix time of the first record
    ended: float = 0.0  # and of the outcome, or of the last record
    launched: bool = False
    shims: set[int] = field(default_factory=set)
    pids: set[int] = field(default_factory=set)  # shims and run processes
    outcome: JsonObject | None = None
    notes: list[JsonObject] = field(default_factory=list)
    events: list[Key] = field(default_factory=list)
    steps: list[ToldStep] = field(default_factory=list)
    lines: list[tuple[str, str | None]] = field(default_factory=list)  # message as JSON, step


def archived(archive: Path, run_id: str) -> list[Archived]:
    """Every journal of this run that was put away."""
    names = chain([run_id], (f"{run_id}~{number}" for number in count(2)))
    folders = takewhile(Path.exists, (archive / name for name in names))
    return [_read(run_id, folder / "journal") for folder in folders]


def event_key(name: str, payload: Any) -> Key:
    """What identifies an event: its time, its step, and what it says.

    A start that goes again has another time (`docs/spec/lightning-answers.md` 6).
    """
    return (
        name,
        None if name == "run:start" else payload.get("timestamp"),
        payload.get("step_id") if name.startswith("step:") else None,
        payload.get("reason"),
        json.dumps(payload.get("message")),
    )


def _read(run_id: str, path: Path) -> Archived:
    found = Archived()
    result: JsonObject | None = None
    with JournalReader(path) as reader:
        for record in reader.read():
            found.began = found.began or record.time_us / 1e6
            if found.outcome is None:
                found.ended = record.time_us / 1e6
            if record.kind == Kind.RESULT:
                result = record.json()
            _told(found, record)
            found.events += _keys(run_id, events.events_of(record, result))
            if record.kind == Kind.LAUNCHED:
                _launched(found, record.json())
            elif record.kind == Kind.OUTCOME:
                found.outcome = record.json()
            elif record.kind == Kind.NOTE:
                found.notes.append(record.json())
    return found


def _told(found: Archived, record: Record) -> None:
    """Steps and lines, as what delivers them must have told the platform."""
    if record.kind == Kind.STEP_START:
        body: Any = record.json()
        clip = body.get("input_dataclip_id")
        found.steps.append(ToldStep(body["step_id"], body["job_id"], clip))
    elif record.kind == Kind.STEP_COMPLETE:
        body = record.json()
        step = next(step for step in found.steps if step.id == body["step_id"])
        document = body.get("output") or {}
        step.reason, step.output = body["reason"], document.get("inline")
        withheld = "withheld" in document or document.get("omitted")
        step.output_id = None if withheld else body.get("output_dataclip_id")
    elif record.kind == Kind.LOG:
        body = record.json()
        found.lines.append((json.dumps(body["message"]), body.get("step_id")))


def _launched(found: Archived, body: JsonObject) -> None:
    found.launched = True
    shim, pids = body.get("shim"), body.get("pids")
    if isinstance(shim, int):
        found.shims.add(shim)
    if isinstance(pids, dict):
        found.pids |= {pid for pid in pids.values() if isinstance(pid, int)}
    found.pids |= found.shims


def _keys(run_id: str, made: list[events.Event]) -> Iterator[Key]:
    for event in made:
        text = events.render(run_id, event, lambda _: '"-"').text
        yield event_key(event.name, json.loads(text))

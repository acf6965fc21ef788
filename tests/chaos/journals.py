"""What the archived journals of a storm tell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, count, takewhile
from pathlib import Path
from typing import Any

from holdfast.journal import JournalReader
from holdfast.model.json import JsonObject
from holdfast.model.record import Kind
from holdfast.worker.outbox import events

Key = tuple[object, ...]


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


def archived(archive: Path, run_id: str) -> list[Archived]:
    """Every journal of this run that was put away."""
    names = chain([run_id], (f"{run_id}~{number}" for number in count(2)))
    folders = takewhile(Path.exists, (archive / name for name in names))
    return [_read(run_id, folder / "journal") for folder in folders]


def event_key(name: str, payload: Any) -> Key:
    """What identifies an event: its time, its step, and what it says."""
    return (
        name,
        payload.get("timestamp"),
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
            found.events += _keys(run_id, events.events_of(record, result))
            if record.kind == Kind.LAUNCHED:
                _launched(found, record.json())
            elif record.kind == Kind.OUTCOME:
                found.outcome = record.json()
            elif record.kind == Kind.NOTE:
                found.notes.append(record.json())
    return found


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
        text = events.render(run_id, event, lambda _: '"-"', identities=False).text
        yield event_key(event.name, json.loads(text))

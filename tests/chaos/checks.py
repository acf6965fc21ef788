"""What must be true afterwards, seen from outside: the platform, the world, and the journals."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chaos.scene import Effects, Expected
from holdfast.journal import JournalReader
from holdfast.model.json import JsonObject
from holdfast.model.record import Kind
from holdfast.worker import events

#: Jobs put the name of their run between these into lines, states and errors.
_MARKER = re.compile(r"<([0-9a-f-]{36})>")
#: How a run may truthfully end when processes around it were killed.
INTERRUPTED = {"exception", "crash", "kill"}


def problems(expected: Expected, effects: Effects, data: Path) -> Iterator[str]:
    """Everything that is wrong with one run."""
    run = expected.run
    if not run.final or run.outcome is None:
        yield f"lost: state {run.state}, claims {run.claims}, events {run.names()}"
        return
    if run.names().count("run:complete") != 1:
        yield f"completed {run.names().count('run:complete')} times"
    reason = run.outcome["reason"]
    if reason != expected.reason and reason not in INTERRUPTED:
        yield f"wrong outcome {reason}, not {expected.reason}: {run.outcome}"
    for job in ("first", "second"):
        count = effects.counts[run.id, job]
        if count > 1:
            yield f"job {job} touched the world {count} times"
        if reason == expected.reason and count != 1:
            yield f"job {job} touched the world {count} times in a run that ended by itself"
    executed = [step["job_id"] for step in run.steps.values()]
    if len(set(executed)) != len(executed):
        yield f"steps {executed}"
    for name, payload in run.events:
        text = json.dumps(payload)
        if "STRAYSTATE" in text or set(_MARKER.findall(text)) - {run.id}:
            yield f"{name} speaks of another run: {text[:200]}"
    yield from _journal_problems(expected, data)


def _journal_problems(expected: Expected, data: Path) -> Iterator[str]:
    """The platform's events are the journal's: all of them, in order, nothing else."""
    run = expected.run
    folders = list((data / "archive").glob(f"{run.id}*"))
    delivered = [folder for folder in folders if _has_outcome(folder)]
    if len(delivered) != 1:
        yield f"{len(delivered)} archived journals with an outcome"
        return
    written = [_key(event.name, _payload(run.id, event)) for event in _events(delivered[0])]
    received = [_key(name, payload) for name, payload in run.events]
    once = list(dict.fromkeys(received))
    notes = _refused(delivered[0])
    missing = [key for key in dict.fromkeys(written) if key not in set(once)]
    if len(missing) > notes:
        yield f"never arrived: {missing[:3]} ({notes} noted as refused)"
    extra = [key for key in once if key not in set(written)]
    if extra:
        yield f"not in the journal: {extra[:3]}"
    both = set(once) & set(written)
    arrived = [key for key in once if key in both]
    happened = [key for key in dict.fromkeys(written) if key in both]
    if arrived != happened:
        place = next(n for n, key in enumerate(arrived) if key != happened[n])
        yield f"another order: {arrived[place : place + 3]} came, not {happened[place]}"


def _has_outcome(folder: Path) -> bool:
    with JournalReader(folder / "journal") as reader:
        return any(record.kind == Kind.OUTCOME for record in reader.read())


def _refused(folder: Path) -> int:
    with JournalReader(folder / "journal") as reader:
        return sum(record.kind == Kind.NOTE for record in reader.read())


def _events(folder: Path) -> Iterator[events.Event]:
    result: JsonObject | None = None
    with JournalReader(folder / "journal") as reader:
        for record in reader.read():
            if record.kind == Kind.RESULT:
                result = record.json()
            yield from events.events_of(record, result)


def _payload(run_id: str, event: events.Event) -> Any:
    return json.loads(events.render(run_id, event, lambda _: '"-"', identities=False).text)


def _key(name: str, payload: Any) -> tuple[object, ...]:
    """What identifies an event: its time, its step, and what it says."""
    return (
        name,
        payload.get("timestamp"),
        payload.get("step_id") if name.startswith("step:") else None,
        payload.get("reason"),
        json.dumps(payload.get("message")),
    )

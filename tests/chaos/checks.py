"""What must be true afterwards, seen from outside: the platform, the world, and the journals."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from chaos import causes, database
from chaos.journals import Archived, Key, archived, event_key
from chaos.ledger import Ledger
from chaos.scene import Effects, Expected

#: Jobs put the name of their run between these into lines, states and errors.
_MARKER = re.compile(r"<([0-9a-f-]{36})>")
#: How a run may truthfully end when something was done to it.
INTERRUPTED = {"exception", "crash", "kill"}
LINES = {"run:log", "run:batch_logs"}


def problems(
    expected: Expected, effects: Effects, ledger: Ledger, data: Path, *, idempotent: bool
) -> Iterator[str]:
    """Everything that is wrong with one run. `idempotent`: so its platform is."""
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
    executed = [step.job_id for step in run.steps.values()]
    if len(set(executed)) != len(executed):
        yield f"steps {executed}"
    for name, payload in run.events:
        text = json.dumps(payload)
        if "STRAYSTATE" in text or set(_MARKER.findall(text)) - {run.id}:
            yield f"{name} speaks of another run: {text[:200]}"
    folders = archived(data / "archive", run.id)
    if len(folders) > run.claims:
        yield f"{len(folders)} journals of {run.claims} claims"
    ended = [folder for folder in folders if folder.outcome is not None]
    if len(ended) != 1:
        yield f"{len(ended)} archived journals with an outcome"
        return
    yield from _delivery_problems(expected, ended[0])
    mark_errors = len(ledger.during(["error journal.mark"], ended[0].began, float("inf")))
    yield from database.problems(run, ended[0], idempotent=idempotent, again=mark_errors)
    if reason != expected.reason:
        yield from causes.of_the_end(run, ended[0], folders, ledger)
    yield from causes.of_the_notes(run, ended[0], ledger)


def _lines_sorted(keys: list[Key]) -> list[Key]:
    """With the log lines between any two starts of steps in the order of their timestamps, behind
    the run's start and the ends of steps: only the start of a step waits for their answers."""
    out: list[Key] = []
    passed = ("run:log", "run:start", "step:complete")
    for late, group in itertools.groupby(keys, lambda key: key[0] in passed):
        found = list(group)
        out += sorted(found, key=lambda key: (key[0] == "run:log", str(key))) if late else found
    return out


def _without_lines(keys: list[Key]) -> list[Key]:
    return [key for key in keys if key[0] not in LINES]


def _delivery_problems(expected: Expected, journal: Archived) -> Iterator[str]:
    """The platform's events are the journal's: all of them, in order, nothing else."""
    received = [event_key(name, payload) for name, payload in expected.run.events]
    once = list(dict.fromkeys(received))
    written = list(dict.fromkeys(journal.events))
    missing = Counter(str(key[0]) for key in written if key not in set(once))
    noted = Counter(str(note.get("event")) for note in journal.notes if note["what"] == "refused")
    for name, number in (missing - noted).items():
        yield f"never arrived: {number} {name}, and no note says why"
    extra = [key for key in once if key not in set(written)]
    if extra:
        yield f"not in the journal: {extra[:3]}"
    both = set(once) & set(written)
    arrived = [key for key in once if key in both]
    happened = [key for key in written if key in both]
    refused = {event for event, do in expected.run.struck if do == "refuse"}
    if "step:start" in refused:
        # Its lines are refused with it and go again, behind those that no step has; or a successor
        # never heard of that, and sends it again behind lines that were stored before.
        arrived, happened = _without_lines(arrived), _without_lines(happened)
    elif refused & LINES:
        # A successor that never heard of it sends such a line again, behind others and behind the
        # end of its step.
        arrived, happened = _lines_sorted(arrived), _lines_sorted(happened)
    if arrived != happened:
        place = next(n for n, key in enumerate(arrived) if key != happened[n])
        yield f"another order: {arrived[place : place + 3]} came, not {happened[place]}"

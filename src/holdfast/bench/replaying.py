"""Runs a bundle again: the same sandbox, recorded answers, clock and random numbers as they were.

Nothing leaves this machine: every connection of the run goes to a server of ours, and the egress
policy allows no other address.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from holdfast.bench.answers import Answers
from holdfast.bench.bundle import Bundle, bundle_of
from holdfast.bench.changes import changes_of
from holdfast.bench.server import serving
from holdfast.engine.client import Engine, RunRequest, attended, prepare_run
from holdfast.model.errors import UsageError
from holdfast.model.json import Json, JsonObject, parse_document
from holdfast.model.limits import Limits
from holdfast.sandbox import folders

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Stage:
    """What every replay needs: an engine, a folder for journals, installed adaptors, limits."""

    engine: Engine
    data: Path
    adaptors: JsonObject
    limits: Limits


@dataclass(frozen=True, slots=True)
class Change:
    """One step: how it ended before and now, and where its output differs."""

    step: str
    before: str
    now: str
    lines: list[str]

    @property
    def same(self) -> bool:
        """Whether nothing changed, byte for byte."""
        return self.before == self.now and not self.lines


@dataclass(frozen=True, slots=True)
class Replayed:
    """One replay: the run that it made, what it asked otherwise, its seconds."""

    made: Bundle
    otherwise: list[str]
    seconds: float


async def replay(
    bundle: Bundle,
    stage: Stage,
    *,
    code: dict[str, str] | None = None,
    only: int | None = None,
    now: bool = False,
) -> Replayed:
    """Run it; `code`: new code by step id, `only`: the place of the one step to run.

    `now`: with the clock and the chance of now.

    Raises UsageError, EngineError.
    """
    started = time.monotonic()
    answers = Answers(bundle.exchanges)
    with serving(answers.reply) as port:
        run_id = str(uuid.uuid4())
        plan = _plan(bundle, code or {}, only)
        folder = prepare_run(stage.data / "journals", run_id, plan, state_before(bundle, only))
        steps = bundle.steps if only is None else [bundle.steps[only]]
        options: JsonObject = {
            "egress": {"allow": [f"{HOST}:{port}"]},
            "adaptors": stage.adaptors,
            "replay": {
                "recording": {"host": HOST, "port": port},
                "tape": [] if now else [step.tape for step in steps],
            },
        }
        credentials = {step.id: step.configuration for step in steps if step.configuration}
        request = RunRequest(folder.path, run_id, stage.limits, {**credentials}, options)
        handle = await stage.engine.launch(request)
        await attended(handle, handle.outcome())
    made = bundle_of(folder, untaped=True)
    folders.remove(folder.path)  # all that is asked for is in the bundle
    left = answers.left() if only is None else []
    return Replayed(made, [*answers.otherwise, *left], time.monotonic() - started)


def _plan(bundle: Bundle, code: dict[str, str], only: int | None) -> JsonObject:
    steps: list[Json] = [
        {**step, "expression": code.get(name, step.get("expression"))}
        for name, step in bundle.code.items()
    ]
    given = bundle.plan.get("options")
    options: JsonObject = dict(given) if isinstance(given, dict) else {}
    if only is not None:
        name = bundle.steps[only].id
        options |= {"start": name, "end": name}
    return {**bundle.plan, "workflow": {**bundle.workflow, "steps": steps}, "options": options}


def state_before(bundle: Bundle, only: int | None) -> JsonObject | None:
    """What a step got, by its place; None: the whole run. Raises UsageError."""
    came_from = None if only is None else bundle.steps[only].came_from
    if came_from is None:
        return bundle.input if isinstance(bundle.input, dict) else None
    text = bundle.steps[came_from].output
    if text is None:
        message = f"what step {bundle.steps[came_from].id} left was too large to be recorded"
        raise UsageError(message, fix="Replay the whole run, without --step.")
    return cast("JsonObject", parse_document(text))


def compared(before: Bundle, now: Bundle, only: int | None = None) -> list[Change]:
    """Each step of both runs, in the order in which they ran."""
    first = before.steps if only is None else [before.steps[only]]
    found = []
    for place in range(max(len(first), len(now.steps))):
        one = first[place] if place < len(first) else None
        two = now.steps[place] if place < len(now.steps) else None
        if one is not None and two is not None and one.id == two.id:
            lines = changes_of(one.output, two.output)
            found.append(Change(one.id, one.reason, two.reason, lines))
            continue
        if one is not None:
            found.append(Change(one.id, one.reason, "did not run", []))
        if two is not None:
            found.append(Change(two.id, "did not run", two.reason, []))
    return found

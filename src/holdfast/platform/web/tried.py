"""A step that is tried from the editor: with which input, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from holdfast.model.json import JsonObject, parse_document
from holdfast.model.outcome import RunState
from holdfast.platform.clock import now
from holdfast.platform.service import Platform
from holdfast.platform.settings import Settings
from holdfast.platform.store import runs, steps
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.store.waits import waits
from holdfast.platform.web.document import Document, read_document
from holdfast.platform.web.draft import Draft
from holdfast.platform.web.explain import error_words
from holdfast.platform.web.language import say
from holdfast.platform.web.waiting import wait_words

#: The act of the button, before the step's id.
TRY = "try:"


@dataclass(frozen=True, slots=True)
class Tried:
    """The run of one step. `error`: why it failed, or waits."""

    run: Row
    step: Row | None
    error: str
    output: Document | None

    @property
    def final(self) -> bool:
        return RunState(self.run.state).final


def read_tried(
    platform: Platform, connection: Connection, workflow_id: str, run_id: str
) -> Tried | None:
    """None: the workflow has no such run of one step."""
    run = runs.find_run(connection, run_id)
    if run is None or run.workflow_id != workflow_id or not runs.is_alone(run):
        return None
    step = next(iter(steps.steps_of(connection, run.id)), None)
    wait = waits(connection, [run], now()).get(run.id)
    if wait is not None:
        error = " ".join(wait_words(wait))
    else:
        shown = run if step is None or step.exit_reason is None else step
        error = error_words(shown.error_type, shown.error_message)
    output = None if step is None else step.output_dataclip_id
    return Tried(run, step, error, read_document(platform, connection, output))


def inputs_of(draft: Draft, last_steps: Mapping[str, Row]) -> dict[str, list[tuple[str, str]]]:
    """By step: documents of the last runs that it may be tried with, and what they are called."""
    names = {step.id: step.name for step in draft.steps}
    found: dict[str, list[tuple[str, str]]] = {}
    for step in draft.steps:
        choices = found[step.id] = []
        if (ran := last_steps.get(step.id)) is not None and ran.input_dataclip_id:
            choices.append((ran.input_dataclip_id, say("its last input")))
        for path in draft.paths:
            before = last_steps.get(path.source)
            drawn = path.target == step.id and path.source in names
            if drawn and before is not None and before.output_dataclip_id:
                called = say("the last output of %(name)s", name=names[path.source])
                choices.append((before.output_dataclip_id, called))
    return found


def written_input(text: str, settings: Settings) -> tuple[JsonObject | None, str | None]:
    """The input that somebody wrote, if there is one, and what is wrong with it.

    It takes time for a large one.
    """
    if not text.strip():
        return None, None
    if len(text.encode("utf-8", "replace")) > settings.payload_bytes:
        return None, say("The input is larger than %(most)s MB.", most=f"{settings.payload_mb:g}")
    try:
        value: Any = parse_document(text)
    except ValueError as error:
        return None, say("The input is not JSON: %(error)s", error=str(error))
    if not isinstance(value, dict):
        return None, say("The input must be a JSON object.")
    return value, None

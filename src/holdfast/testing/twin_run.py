"""One run as the twin of a platform keeps it, and what it answers to the run's events."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from holdfast.model.json import Json, JsonObject
from holdfast.protocol import messages as m
from holdfast.protocol.messages import Extension


@dataclass(slots=True)
class TwinRun:
    """One run as the platform knows it."""

    id: str
    plan: JsonObject
    input: bytes
    credentials: Mapping[str, Json | bytes]
    state: str = "available"
    joins: int = 0
    claims: int = 0
    token: str = ""
    claimed_at: float = 0.0
    joined: bool = False  # by whoever holds the present claim
    events: list[tuple[str, Any]] = field(default_factory=list)  # accepted, in order
    refused: list[tuple[str, Any, Any]] = field(default_factory=list)
    struck: list[tuple[str, str]] = field(default_factory=list)  # ordered faults it met
    steps: dict[str, JsonObject] = field(default_factory=dict)
    clips: set[str] = field(default_factory=set)
    log_ids: set[str] = field(default_factory=set)
    outcome: JsonObject | None = None

    @property
    def final(self) -> bool:
        return self.outcome is not None

    def names(self, *, logs: bool = False) -> list[str]:
        """Names of the accepted events in order."""
        return [name for name, _ in self.events if logs or name != m.RUN_LOG]

    @property
    def logs(self) -> list[str]:
        """The texts of all log lines in order."""
        lines = [body for name, body in self.events if name == m.RUN_LOG]
        return [" ".join(map(str, line["message"])) for line in lines]


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """An event is answered with an error; the argument is the response."""


def _run_start(run: TwinRun, payload: Any, extension: Extension) -> Json:
    m.RunStart.from_payload(payload)
    if run.final:
        raise Refusal({"state": ["already in completed state"]})
    if run.state != "started" or not extension.idempotent:
        run.events.append((m.RUN_START, payload))
    run.state = "started"
    return None


def _step_start(run: TwinRun, payload: Any, extension: Extension) -> Json:
    step = m.StepStart.from_payload(payload)
    if step.step_id in run.steps:
        if extension.idempotent:
            return {"step_id": step.step_id}
        raise Refusal({"errors": {"step_id": ["has already been taken"]}})
    run.steps[step.step_id] = {"job_id": step.job_id, "done": False}
    run.events.append((m.STEP_START, payload))
    return {"step_id": step.step_id}


def _step_complete(run: TwinRun, payload: Any, extension: Extension) -> Json:
    step = m.StepComplete.from_payload(payload)
    known = run.steps.get(step.step_id or "")
    if known is None:
        raise Refusal({"errors": {"step_id": ["not found"]}})
    if known["done"] and extension.idempotent:
        return {"step_id": step.step_id}
    if step.output_dataclip_id in run.clips:
        raise Refusal({"errors": {"output_dataclip_id": ["has already been taken"]}})
    if step.output_dataclip is not None:
        json.loads(step.output_dataclip)
    if step.output_dataclip_id is not None:
        run.clips.add(step.output_dataclip_id)
    known["done"] = True
    run.events.append((m.STEP_COMPLETE, payload))
    return {"step_id": step.step_id}


def _run_log(run: TwinRun, payload: Any, extension: Extension) -> Json:
    line = m.LogLine.from_line(payload)
    if line.step_id is not None and line.step_id not in run.steps:
        raise Refusal({"errors": {"step_id": ["must be associated with the run"]}})
    if extension.idempotent and line.id is not None:
        if line.id in run.log_ids:
            return {"log_line_id": line.id}
        run.log_ids.add(line.id)
    run.events.append((m.RUN_LOG, payload))
    return {"log_line_id": str(uuid4())}


def _batch(run: TwinRun, payload: Any, extension: Extension) -> Json:
    for line in m.batch_lines(payload):  # all or nothing
        if line.step_id is not None and line.step_id not in run.steps:
            raise Refusal({"errors": {"step_id": ["must be associated with the run"]}})
    for entry in payload["logs"]:
        _run_log(run, entry, extension)
    return {}


def _run_complete(run: TwinRun, payload: Any, extension: Extension) -> Json:
    complete = m.RunComplete.from_payload(payload)
    if run.final:
        if extension.idempotent:
            return None
        raise Refusal({"state": ["already in completed state"]})
    if complete.final_dataclip_id is not None and complete.final_dataclip_id not in run.clips:
        raise Refusal({"errors": {"final_dataclip_id": ["does not exist"]}})
    run.outcome = payload
    run.state = complete.reason
    run.events.append((m.RUN_COMPLETE, payload))
    return None


#: Event name -> what answers it; InvalidPayload and Refusal are error replies.
HANDLERS: dict[str, Callable[[TwinRun, Any, Extension], Json]] = {
    m.RUN_START: _run_start,
    m.STEP_START: _step_start,
    m.STEP_COMPLETE: _step_complete,
    m.RUN_LOG: _run_log,
    m.RUN_BATCH_LOGS: _batch,
    m.RUN_COMPLETE: _run_complete,
}

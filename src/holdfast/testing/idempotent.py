"""The answers of an idempotent platform to a run's events: repeats do no harm."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from holdfast.model.json import Json
from holdfast.protocol import messages as m
from holdfast.protocol.messages import InvalidPayload
from holdfast.testing.twin_run import LineRow, Refusal, StepRow, TwinRun


def handle(run: TwinRun, name: str, payload: Any) -> Json | bytes:
    """The response to an event of a run. Refusal."""
    if name == m.FETCH_PLAN:
        return run.plan
    if name == m.FETCH_DATACLIP:
        return run.input
    if name == m.FETCH_CREDENTIAL:
        if payload.get("id") not in run.credentials:
            raise Refusal({"errors": {"id": ["Credential not found!"]}})
        return run.credentials[payload["id"]]
    handler = _HANDLERS.get(name)
    if handler is None:
        raise Refusal({"reason": "unknown event"})
    try:
        return handler(run, payload)
    except InvalidPayload as error:
        raise Refusal(error.response) from None


def _run_start(run: TwinRun, payload: Any) -> Json:
    m.RunStart.from_payload(payload)
    if run.final:
        raise Refusal({"state": ["already in completed state"]})
    if run.state != "started":
        run.events.append((m.RUN_START, payload))
    run.state = "started"
    return None


def _step_start(run: TwinRun, payload: Any) -> Json:
    step = m.StepStart.from_payload(payload)
    if step.step_id not in run.steps:
        run.steps[step.step_id] = StepRow(step.job_id, step.input_dataclip_id)
        run.events.append((m.STEP_START, payload))
    return {"step_id": step.step_id}


def _step_complete(run: TwinRun, payload: Any) -> Json:
    step = m.StepComplete.from_payload(payload)
    known = run.steps.get(step.step_id or "")
    if known is None:
        raise Refusal({"errors": {"step_id": ["not found"]}})
    if known.reason is not None:
        return {"step_id": step.step_id}
    if step.output_dataclip_id is not None:
        output = step.output_dataclip
        value = json.loads(output) if isinstance(output, str) else output
        run.clips[step.output_dataclip_id] = value
    known.output, known.reason = step.output_dataclip_id, step.reason
    run.events.append((m.STEP_COMPLETE, payload))
    return {"step_id": step.step_id}


def _run_log(run: TwinRun, payload: Any) -> Json:
    line = m.LogLine.from_line(payload)
    if line.step_id is not None and line.step_id not in run.steps:
        raise Refusal({"errors": {"step_id": ["must be associated with the run"]}})
    if line.id is not None:
        if line.id in run.log_ids:
            return {"log_line_id": line.id}
        run.log_ids.add(line.id)
    run.events.append((m.RUN_LOG, payload))
    run.lines.append(LineRow(line.message, line.step_id, line.level, line.timestamp))
    return {"log_line_id": line.id or str(uuid4())}


def _batch(run: TwinRun, payload: Any) -> Json:
    for line in m.batch_lines(payload):  # all or nothing
        if line.step_id is not None and line.step_id not in run.steps:
            raise Refusal({"errors": {"step_id": ["must be associated with the run"]}})
    for entry in payload["logs"]:
        _run_log(run, entry)
    return {}


def _run_complete(run: TwinRun, payload: Any) -> Json:
    complete = m.RunComplete.from_payload(payload)
    if run.final:
        return None
    if complete.final_dataclip_id is not None and complete.final_dataclip_id not in run.clips:
        raise Refusal({"errors": {"final_dataclip_id": ["does not exist"]}})
    run.outcome, run.state, run.finished = payload, complete.reason, True
    run.ended_at = time.monotonic()
    run.events.append((m.RUN_COMPLETE, payload))
    return None


_HANDLERS: dict[str, Callable[[TwinRun, Any], Json]] = {
    m.RUN_START: _run_start,
    m.STEP_START: _step_start,
    m.STEP_COMPLETE: _step_complete,
    m.RUN_LOG: _run_log,
    m.RUN_BATCH_LOGS: _batch,
    m.RUN_COMPLETE: _run_complete,
}

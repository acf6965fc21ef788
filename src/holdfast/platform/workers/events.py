"""What a worker's events do to a run (`docs/spec/platform.md` 4.4, 4.5).

Each function works inside one write transaction and may be repeated: the same event again, with
the same identities, is answered as the first time and changes nothing. What must be refused
raises `Refused`, whose response goes to the worker and into the run's notes.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from holdfast.model.errors import HoldfastError
from holdfast.model.json import DEEPEST, Json, JsonObject, is_deep
from holdfast.model.outcome import Reason, RunState, state_of
from holdfast.platform.store import dataclips, documents, logs, ownership, retries, steps
from holdfast.platform.store.database import Row, Transaction
from holdfast.platform.store.runs import (
    find_run,
    heard_of,
    is_live,
    newer_run_exists,
    note,
    set_values,
    transition,
)
from holdfast.platform.workers.ends import ended
from holdfast.protocol import messages as m

#: Notes of refusals that cost the run its outcome (4.5, lightning#4355).
KEY_EVENTS = frozenset({m.RUN_START, m.STEP_START, m.STEP_COMPLETE, m.RUN_COMPLETE})
TOO_LATE = "already in completed state"
#: Characters of JSON text. What our worker makes stays below.
_LARGEST_POSTMORTEM, _LARGEST_SPANS = 1_000_000, 400_000
#: Characters of an error's message; of versions and measures, as JSON.
_LONGEST_ERROR, _LONGEST_FACTS = 20_000, 10_000
#: Steps of a run. A workflow has a few dozen jobs.
MOST_STEPS = 5000
_ID = re.compile(r"[\w.:-]{1,36}", re.ASCII)


class Refused(HoldfastError):  # noqa: N818 - said of the event
    """The event breaks a rule; `response` is the error reply."""

    def __init__(self, **errors: str) -> None:
        super().__init__("; ".join(f"{key}: {text}" for key, text in errors.items()))
        self.response: JsonObject = {"errors": {key: [text] for key, text in errors.items()}}


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: the channel's run and claim, and what cleans its texts of secrets."""

    run_id: str
    claim_id: str
    clean: Callable[[str], str]

    def text(self, value: str | None, most: int | None = None) -> str | None:
        """As it may be stored: without secrets and control characters, not too long."""
        return None if value is None else self.clean(logs.plain(value))[:most]


def run_of(tx: Transaction, sender: Sender, event: str) -> Row:
    """The run, which must still belong to this claim. Notes the sign of life."""
    run = heard_of(tx, sender.run_id, sender.claim_id, event)
    if run is None:
        raise Refused(run="no longer belongs to this claim")
    return run


def refuse(tx: Transaction, sender: Sender, event: str, text: str) -> None:
    """Keep a refusal with the run: people must be able to see why."""
    run = find_run(tx.connection, sender.run_id)
    if run is not None and run.claim_id == sender.claim_id:
        note(tx, run.id, "refused", event=event, error=text)


def run_start(tx: Transaction, sender: Sender, event: m.RunStart) -> Json:
    run = run_of(tx, sender, m.RUN_START)
    values = {"started_at": int(event.timestamp), "versions": _facts(event.versions) or "{}"}
    if transition(tx, run, RunState.STARTED, RunState.CLAIMED, **values):
        return None
    if run.started_at is None and run.state != RunState.LOST.value:
        raise Refused(state=TOO_LATE)
    return None


def step_start(tx: Transaction, sender: Sender, event: m.StepStart) -> Json:
    _check_ids(step_id=event.step_id, input_dataclip_id=event.input_dataclip_id)
    run = run_of(tx, sender, m.STEP_START)
    known = steps.find_step(tx.connection, run.id, event.step_id)
    if known is None:
        if not ownership.may_take_step(tx.connection, event.step_id):
            raise Refused(step_id="has already been taken")
        require_live(run)
        if not ownership.has_job(tx.connection, run, event.job_id):
            raise Refused(job_id="does not exist")
        _require_room(tx, run)
        steps.add_step(
            tx,
            run,
            event.step_id,
            event.job_id,
            input_dataclip_id=_input(tx, run, event),
            started_at=int(event.timestamp),
        )
    elif known.job_id != event.job_id:
        raise Refused(step_id="has already been taken")
    return {"step_id": event.step_id}


def step_complete(tx: Transaction, sender: Sender, event: m.StepComplete) -> Json:
    _check_ids(step_id=event.step_id, output_dataclip_id=event.output_dataclip_id)
    run = run_of(tx, sender, m.STEP_COMPLETE)
    step_id = event.step_id or steps.open_step(tx.connection, run.id, event.job_id or "")
    if step_id is None:
        raise Refused(step_id="not found")
    known = steps.find_step(tx.connection, run.id, step_id)
    if known is None:
        _repair(tx, run, step_id, event)
    elif known.exit_reason is not None and known.exit_reason != RunState.LOST.value:
        return {"step_id": step_id}  # the first word counts
    clip_id, problem = _output(tx, run, event)
    finished = int(event.timestamp) if event.timestamp else tx.now
    steps.close_step(
        tx,
        run.id,
        step_id,
        output_dataclip_id=clip_id,
        output_error=problem,
        finished_at=finished,
        exit_reason=sender.text(event.reason, 32),
        error_type=sender.text(event.error_type, 255),
        error_message=sender.text(event.error_message, _LONGEST_ERROR),
        duration_ms=event.duration,
        mem=None if event.mem is None else _facts(event.mem),
    )
    if event.webhook_response is not None:
        set_values(tx, run.id, webhook_response=json.dumps(event.webhook_response))
    return {"step_id": step_id}


def _repair(tx: Transaction, run: Row, step_id: str, event: m.StepComplete) -> None:
    """A step whose start never came is made from its end, and marked."""
    if event.job_id is None or not ownership.may_take_step(tx.connection, step_id):
        raise Refused(step_id="not found")
    if not ownership.has_job(tx.connection, run, event.job_id):
        raise Refused(job_id="does not exist")
    _require_room(tx, run)
    finished = int(event.timestamp) if event.timestamp else tx.now
    started = finished - (event.duration or 0) * 1000
    steps.add_step(tx, run, step_id, event.job_id, started_at=started, repaired=True)


def _facts(value: JsonObject) -> str | None:
    """What a worker tells of itself; more than there can be is none of it."""
    text = json.dumps(value)
    return text if len(text) <= _LONGEST_FACTS else None


def _require_room(tx: Transaction, run: Row) -> None:
    """What a run can make us keep has limits. Raises Refused."""
    if steps.count_steps(tx.connection, run.id) >= MOST_STEPS:
        raise Refused(step_id=f"is more than the {MOST_STEPS} steps that a run may have")


def _input(tx: Transaction, run: Row, event: m.StepStart) -> str | None:
    """The clip that the step begins with. One that was too large to be stored is none."""
    asked = event.input_dataclip_id
    if asked is None or ownership.may_name_clip(tx.connection, run, asked):
        return asked
    if dataclips.find_clip(tx.connection, asked) is not None:
        note(tx, run.id, "input dataclip is not of this run", dataclip_id=asked)
    return None


def _output(tx: Transaction, run: Row, event: m.StepComplete) -> tuple[str | None, str | None]:
    """Store the output; returns its id and why there is none."""
    if event.output_dataclip_error is not None:
        return None, logs.plain(event.output_dataclip_error)[:64]
    if event.output_dataclip_id is None:
        return None, None
    saved = json.loads(run.options).get("output_dataclips") is not False
    if not ownership.may_write_clip(tx.connection, run, event.output_dataclip_id):
        raise Refused(output_dataclip_id="has already been taken")
    output = event.output_dataclip
    if output is None and saved:
        return None, "MISSING"
    try:
        body, wrapped = dataclips.object_text("{}" if output in (None, "") else output)
    except ValueError:
        note(tx, run.id, "output is not JSON", job_id=event.job_id)
        return None, "NOT_JSON"
    if wrapped:
        note(tx, run.id, "output was not an object: kept as its data", job_id=event.job_id)
    try:
        clip_id = dataclips.insert_clip(
            tx,
            project_id=run.project_id,
            kind="step_result",
            body=body,
            clip_id=event.output_dataclip_id,
            wiped=not saved,
        )
    except dataclips.ClipConflictError as error:
        raise Refused(output_dataclip_id=error.message) from error
    return clip_id, None


def log(tx: Transaction, sender: Sender, lines: list[m.LogLine]) -> Json:
    """Lines are never refused, whatever state the run is in (4.5 rules 4 and 7)."""
    run = run_of(tx, sender, m.RUN_LOG)
    if run.indexed_at is not None:
        set_values(tx, run.id, indexed_at=None)  # lines that come late are searched for, too
    cleaned = [(line, sender.clean(logs.message_text(line.message))) for line in lines]
    return {"log_line_id": str(logs.add(tx, run.id, cleaned))}


def spans_text(sender: Sender, event: m.RunSpans) -> str | None:
    """What is stored of them: made before the write, as a long list takes a while."""
    return _kept(sender, event.spans, _LARGEST_SPANS)


def run_spans(tx: Transaction, sender: Sender, kept: str | None) -> Json:
    """Kept while the run goes; what comes late, or is too large, is for nobody any more."""
    run = run_of(tx, sender, m.RUN_SPANS)
    if kept is not None and run.state in {RunState.CLAIMED.value, RunState.STARTED.value}:
        set_values(tx, run.id, spans=kept)
        tx.notify(f"run:{run.id}", "spans")
    return None


def run_complete(tx: Transaction, sender: Sender, event: m.RunComplete) -> Json:
    run = run_of(tx, sender, m.RUN_COMPLETE)
    state = _final_state(event.reason)
    values: dict[str, Any] = {
        "error_type": sender.text(event.error_type, 255),
        "error_message": sender.text(event.error_message, _LONGEST_ERROR),
        "finished_at": int(event.timestamp) if event.timestamp else tx.now,
        "postmortem": _kept(sender, event.postmortem, _LARGEST_POSTMORTEM),
    }
    if (told := _kept(sender, event.spans, _LARGEST_SPANS)) is not None:
        values["spans"] = told
    if run.state == RunState.LOST.value:
        _recover(tx, run, state, values)
        return None
    if run.state in {RunState.CLAIMED.value, RunState.STARTED.value}:
        values["final_dataclip_id"] = _final_clip(tx, run, event)
        values |= _measured(tx, run, values["finished_at"])
        transition(tx, run, state, RunState.CLAIMED, RunState.STARTED, **values)
        ended(tx, run.id, state, told=True)
        _wipe_by_policy(tx, run, state)
        return None
    if run.state == state.value:
        return None  # told twice
    raise Refused(state=TOO_LATE)


def _measured(tx: Transaction, run: Row, finished: int) -> dict[str, Any]:
    """What lists of runs are filtered by."""
    started = run.started_at
    took = None if started is None or started > finished else (finished - started) // 1000
    return {"duration_ms": took, "peak_memory": steps.peak_memory(tx.connection, run.id)}


def _kept(sender: Sender, document: JsonObject | None, most: int) -> str | None:
    """What came with an outcome, as it is stored: without secrets; None if it is too large."""
    if document is None or is_deep(document, DEEPEST):
        return None  # none of ours is as deep: the outcome counts without it
    text = json.dumps(_cleaned(document, sender))
    return text if len(text) <= most else None


def _cleaned(value: Json, sender: Sender) -> Json:
    if isinstance(value, str):
        return sender.text(value)
    if isinstance(value, list):
        return [_cleaned(item, sender) for item in value]
    if isinstance(value, dict):
        return {str(sender.text(key)): _cleaned(item, sender) for key, item in value.items()}
    # Python reads and writes NaN and infinities, which are not JSON: browsers refuse them.
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _final_state(reason: str) -> RunState:
    try:
        return state_of(Reason("success" if reason == "ok" else reason))
    except ValueError as error:
        raise Refused(reason="is not a final state") from error


def _recover(tx: Transaction, run: Row, state: RunState, values: dict[str, Any]) -> None:
    """`lost` turned out wrong: the same claim reports its end (3.6). Done once, and visible."""
    retries.drop(tx, run.id)  # before we look: another platform may be about to start it
    if newer_run_exists(tx.connection, run):
        note(tx, run.id, "reported after it was lost and retried", state=state.value)
        return
    note(tx, run.id, "recovered", was="lost", state=state.value)
    values |= {
        "recovered_at": tx.now,
        "indexed_at": None,
        **_measured(tx, run, values["finished_at"]),
    }
    transition(tx, run, state, RunState.LOST, **values)
    ended(tx, run.id, state, told=True)


def _final_clip(tx: Transaction, run: Row, event: m.RunComplete) -> str | None:
    """The dataclip with the final state; a workflow with several leaves gets a new one."""
    if event.final_dataclip_id is not None:
        if ownership.may_name_clip(tx.connection, run, event.final_dataclip_id):
            return event.final_dataclip_id
        note(tx, run.id, "final dataclip is not known", dataclip_id=event.final_dataclip_id)
    if event.final_state is None:
        return None
    value = cast("Json", event.final_state)
    body = json.dumps(value if isinstance(value, dict) else {"data": value})
    saved = json.loads(run.options).get("output_dataclips") is not False
    return dataclips.insert_clip(
        tx, project_id=run.project_id, kind="step_result", body=body, wiped=not saved
    )


def _wipe_by_policy(tx: Transaction, run: Row, state: RunState) -> None:
    policy = documents.retention_policy(tx.connection, run.project_id)
    if policy == "erase_all":
        dataclips.wipe(tx, run.dataclip_id)
    elif policy == "retain_with_errors" and state is RunState.SUCCESS:
        dataclips.wipe(tx, run.dataclip_id)
        for step in steps.steps_of(tx.connection, run.id):
            dataclips.wipe(tx, step.output_dataclip_id)


def _check_ids(**ids: str | None) -> None:
    """Workers make ids; what the database could not hold is refused by name."""
    for name, value in ids.items():
        if value is not None and not _ID.fullmatch(value):
            raise Refused(**{name: "is not an id"})


def require_live(run: Row) -> None:
    """New steps and secrets only while the run is under way. Raises Refused."""
    if not is_live(run):
        raise Refused(state=TOO_LATE)

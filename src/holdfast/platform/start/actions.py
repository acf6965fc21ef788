"""What a person may do with runs: start, retry, cancel (`docs/spec/platform.md` 5.5, 5.6)."""

from __future__ import annotations

import json
from dataclasses import replace

from holdfast.model.errors import HoldfastError
from holdfast.model.json import Json
from holdfast.model.outcome import RunState
from holdfast.platform.settings import Settings
from holdfast.platform.start.repeats import jobs_again
from holdfast.platform.store import dataclips, steps, workflows
from holdfast.platform.store import retries as planned
from holdfast.platform.store.database import Row, Transaction
from holdfast.platform.store.lanes import DEFAULT, IMMEDIATE, LOW, MANUAL
from holdfast.platform.store.runs import (
    CANCEL_ASKED,
    Created,
    Start,
    cancel_asked,
    cancel_words,
    create_run,
    create_work_order,
    find_run,
    is_alone,
    lock_run,
    note,
    transition,
)
from holdfast.platform.store.snapshots import parts_of

#: Queue and priority of what a person starts, and of what is started for many runs: before all
#: that waits, and after it.
BY_HAND, OF_MANY = (MANUAL, IMMEDIATE), (DEFAULT, LOW)


class ActionError(HoldfastError):
    """The action is not possible; `status` is for the reply."""

    def __init__(self, message: str, status: int = 422) -> None:
        super().__init__(message)
        self.status = status


def start_run(
    tx: Transaction,
    settings: Settings,
    workflow_id: str,
    *,
    body: Json = None,
    dataclip_id: str | None = None,
    job_id: str | None = None,
    alone: bool = False,
    by: str,
) -> Created:
    """A manual run of a whole workflow, or from one job; `alone`: of that only.

    Raises ActionError.
    """
    workflow = workflows.find_workflow(tx.connection, workflow_id)
    if workflow is None:
        message = "There is no such workflow."
        raise ActionError(message, 404)
    trigger_id, job_id = _beginning(tx, workflow_id, job_id)
    if dataclip_id is None:
        dataclip_id = _saved_input(tx, settings, workflow.project_id, body)
    else:
        _usable(tx, dataclip_id, workflow.project_id)
    start = _by_hand(workflow_id, dataclip_id, trigger_id, job_id, by)
    return create_work_order(tx, replace(start, alone=alone), settings)


def _by_hand(
    workflow_id: str,
    dataclip_id: str | None,
    trigger_id: str | None,
    job_id: str | None,
    by: str,
) -> Start:
    """What people start goes before what waits (2.1)."""
    return Start(
        workflow_id,
        dataclip_id,
        trigger_id=trigger_id,
        job_id=job_id,
        queue=BY_HAND[0],
        priority=BY_HAND[1],
        created_by=by,
    )


def _saved_input(tx: Transaction, settings: Settings, project_id: str, body: Json) -> str:
    if body is not None and not isinstance(body, dict):
        message = "The input must be a JSON object."
        raise ActionError(message)
    text = json.dumps(body or {}, ensure_ascii=False)
    if len(text.encode("utf-8", "replace")) > settings.payload_bytes:
        message = f"The input is larger than {settings.payload_mb:g} MB."
        raise ActionError(message, 413)
    return dataclips.insert_clip(tx, project_id=project_id, kind="saved_input", body=text)


def _beginning(
    tx: Transaction, workflow_id: str, job_id: str | None
) -> tuple[str | None, str | None]:
    """The trigger or the job to begin with."""
    if job_id is not None:
        if not workflows.has_job(tx.connection, workflow_id, job_id):
            message = "The workflow has no such job."
            raise ActionError(message)
        return None, job_id
    if (trigger := workflows.first_trigger(tx.connection, workflow_id)) is not None:
        return trigger, None
    if (first := workflows.first_job(tx.connection, workflow_id)) is None:
        message = "The workflow has nothing to begin with."
        raise ActionError(message)
    return None, first


def _usable(tx: Transaction, dataclip_id: str | None, project_id: str) -> None:
    clip = None if dataclip_id is None else dataclips.find_clip(tx.connection, dataclip_id)
    if clip is None or clip.project_id != project_id:
        message = "There is no such dataclip in this project."
        raise ActionError(message, 404)
    if clip.wiped_at is not None:
        message = "The data was erased; a run needs it."
        raise ActionError(message)


def retry(
    tx: Transaction,
    settings: Settings,
    run_id: str,
    step_id: str | None = None,
    *,
    by: str,
    lane: tuple[str, int] = BY_HAND,
    retries: int = 0,
) -> Created:
    """A new run of the same work order, with the newest code: from the start or from a step.

    Steps of branches that do not depend on the chosen one belong to the new run, too. It waits in
    `lane`, a queue and a priority. `retries`: automatic ones so far, with this one. None that is
    planned for the work order comes after it. Raises ActionError, before anything is changed.
    """
    run = _ended_run(tx, run_id)
    trigger_id, job_id = run.starting_trigger_id, run.starting_job_id
    clip, step = run.dataclip_id, None
    if step_id is not None:
        step = steps.find_step(tx.connection, run_id, step_id)
        if step is None:
            message = "The run has no such step."
            raise ActionError(message, 404)
        trigger_id, job_id, clip = None, step.job_id, step.input_dataclip_id
    _usable(tx, clip, run.project_id)
    if not _still_there(tx, run.workflow_id, trigger_id, job_id):
        message = "The workflow no longer has what this run began with."
        raise ActionError(message)
    begin = _by_hand(run.workflow_id, clip, trigger_id, job_id, by)
    start = replace(begin, queue=lane[0], priority=lane[1], retries=retries, alone=is_alone(run))
    planned.drop_of_order(tx, run.work_order_id)
    new_run = create_run(tx, run.work_order_id, start, settings)
    if job_id is not None:
        _carry_over(tx, run, job_id, new_run)
    return Created(run.work_order_id, new_run)


def _ended_run(tx: Transaction, run_id: str) -> Row:
    run = lock_run(tx, run_id)
    if run is None:
        message = "There is no such run."
        raise ActionError(message, 404)
    if not RunState(run.state).final:
        message = "The run has not ended yet."
        raise ActionError(message)
    return run


def _still_there(
    tx: Transaction, workflow_id: str, trigger_id: str | None, job_id: str | None
) -> bool:
    if trigger_id is not None:
        return workflows.has_trigger(tx.connection, workflow_id, trigger_id)
    return job_id is not None and workflows.has_job(tx.connection, workflow_id, job_id)


def _carry_over(tx: Transaction, run: Row, chosen: str, new_run: str) -> None:
    """Link the steps that will not run again: all but the chosen job and what comes after it."""
    again = jobs_again(parts_of(tx.connection, run.snapshot_id), chosen)
    kept = [s.id for s in steps.steps_of(tx.connection, run.id) if s.job_id not in again]
    steps.carry_over(tx, kept, new_run)


def cancel(tx: Transaction, run_id: str, *, by: str) -> bool:
    """End a run: at once where no worker has begun with it; else its worker is asked to.

    Returns whether it has ended. Raises ActionError if it had ended before.
    """
    run = find_run(tx.connection, run_id)
    if run is None:
        message = "There is no such run."
        raise ActionError(message, 404)
    if run.joined_at is None and transition(
        tx,
        run,
        RunState.CANCELLED,
        RunState.AVAILABLE,
        RunState.CLAIMED,
        finished_at=tx.now,
        claim_id=None,  # whoever has claimed it and comes late is refused
        error_type="Cancelled",
        error_message=cancel_words(by),
    ):
        return True
    if RunState(run.state).final:
        message = "The run has ended: there is nothing to cancel."
        raise ActionError(message, 409)
    reason = cancel_asked(run)
    if reason is None:
        note(tx, run_id, CANCEL_ASKED, by=by)
        reason = cancel_words(by)
    tx.notify(f"run:{run_id}", "cancel")
    tx.notify("queue", "cancel", run_id=run_id, reason=reason)
    return False

"""What a person may do with runs: start, retry, cancel (`docs/spec/platform.md` 5.5, 5.6)."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Row, insert, select

from holdfast.model.errors import HoldfastError
from holdfast.model.json import Json
from holdfast.model.outcome import RunState
from holdfast.platform.settings import Settings
from holdfast.platform.store import dataclips, steps
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Transaction
from holdfast.platform.store.runs import (
    IMMEDIATE,
    Created,
    Start,
    create_run,
    create_work_order,
    find_run,
    newest_snapshot,
    transition,
)


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
) -> Created:
    """A manual run of a whole workflow, or from one job. Raises ActionError."""
    project_id = tx.connection.scalar(
        select(t.workflows.c.project_id).where(
            t.workflows.c.id == workflow_id, t.workflows.c.deleted_at.is_(None)
        )
    )
    if project_id is None:
        message = "There is no such workflow."
        raise ActionError(message, 404)
    trigger_id, job_id = _beginning(tx, workflow_id, job_id)
    if dataclip_id is None:
        dataclip_id = _saved_input(tx, settings, project_id, body)
    else:
        _usable(tx, dataclip_id, project_id)
    start = _by_hand(workflow_id, dataclip_id, trigger_id, job_id)
    return create_work_order(tx, start, settings)


def _by_hand(
    workflow_id: str, dataclip_id: str | None, trigger_id: str | None, job_id: str | None
) -> Start:
    """What people start goes before what waits (2.1)."""
    return Start(
        workflow_id,
        dataclip_id,
        trigger_id=trigger_id,
        job_id=job_id,
        queue="manual",
        priority=IMMEDIATE,
        created_by="admin",
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
        known = select(t.jobs.c.id).where(t.jobs.c.id == job_id)
        if tx.connection.scalar(known.where(t.jobs.c.workflow_id == workflow_id)) is None:
            message = "The workflow has no such job."
            raise ActionError(message)
        return None, job_id
    found = tx.connection.scalar(
        select(t.triggers.c.id)
        .where(t.triggers.c.workflow_id == workflow_id)
        .order_by(t.triggers.c.enabled.desc())
    )
    if found is not None:
        return found, None
    targets = select(t.edges.c.target_job_id).where(t.edges.c.workflow_id == workflow_id)
    first = tx.connection.scalar(
        select(t.jobs.c.id)
        .where(t.jobs.c.workflow_id == workflow_id, t.jobs.c.id.not_in(targets))
        .order_by(t.jobs.c.position)
    )
    if first is None:
        message = "The workflow has nothing to begin with."
        raise ActionError(message)
    return None, first


def _usable(tx: Transaction, dataclip_id: str | None, project_id: str) -> None:
    row = tx.connection.execute(
        select(t.dataclips).where(
            t.dataclips.c.id == dataclip_id, t.dataclips.c.project_id == project_id
        )
    ).one_or_none()
    if row is None:
        message = "There is no such dataclip in this project."
        raise ActionError(message, 404)
    if row.wiped_at is not None:
        message = "The data was erased; a run needs it."
        raise ActionError(message)


def retry(tx: Transaction, settings: Settings, run_id: str, step_id: str | None = None) -> Created:
    """A new run of the same work order, with the newest code: from the start or from a step.

    Steps of branches that do not depend on the chosen one belong to the new run, too. Raises
    ActionError.
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
    _still_there(tx, run.workflow_id, trigger_id or job_id)
    snapshot = newest_snapshot(tx.connection, run.workflow_id)
    start = _by_hand(run.workflow_id, clip, trigger_id, job_id)
    new_run = create_run(tx, run.work_order_id, snapshot, start, settings)
    if step is not None:
        _carry_over(tx, run, step, new_run)
    return Created(run.work_order_id, new_run)


def _ended_run(tx: Transaction, run_id: str) -> Row[Any]:
    run = find_run(tx.connection, run_id)
    if run is None:
        message = "There is no such run."
        raise ActionError(message, 404)
    if not RunState(run.state).final:
        message = "The run has not ended yet."
        raise ActionError(message)
    return run


def _still_there(tx: Transaction, workflow_id: str, node_id: str) -> None:
    for table in (t.jobs, t.triggers):
        query = select(table.c.id).where(table.c.id == node_id, table.c.workflow_id == workflow_id)
        if tx.connection.scalar(query) is not None:
            return
    message = "The workflow no longer has what this run began with."
    raise ActionError(message)


def _carry_over(tx: Transaction, run: Row[Any], chosen: Row[Any], new_run: str) -> None:
    """Link the steps that will not run again: all but the chosen job and what comes after it."""
    body = tx.connection.scalar(
        select(t.snapshots.c.body).where(t.snapshots.c.id == run.snapshot_id)
    )
    edges = json.loads(body or "{}").get("edges", [])
    again, frontier = {chosen.job_id}, [chosen.job_id]
    while frontier:
        origin = frontier.pop()
        for edge in edges:
            target = edge["target_job_id"]
            if edge["source_job_id"] == origin and target not in again:
                again.add(target)
                frontier.append(target)
    for step in steps.steps_of(tx.connection, run.id):
        if step.job_id not in again:
            tx.connection.execute(insert(t.run_steps).values(run_id=new_run, step_id=step.id))


def cancel(tx: Transaction, run_id: str) -> None:
    """Take a waiting run out of the queue. Raises ActionError once a worker has it."""
    run = find_run(tx.connection, run_id)
    if run is None:
        message = "There is no such run."
        raise ActionError(message, 404)
    if not transition(tx, run, RunState.CANCELLED, RunState.AVAILABLE, finished_at=tx.now):
        message = "Only a run that waits in the queue can be cancelled."
        raise ActionError(message, 409)

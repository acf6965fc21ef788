"""Retries that are due: planned with the end of a run, in its transaction; taken once.

A row is one failure that has a retry to come. Whoever takes the row away makes the retry in the
same transaction, so that neither a restart nor a second platform makes another one.
"""

from __future__ import annotations

import json

from sqlalchemy import delete, exists, select, update

from holdfast.model.outcome import RunState
from holdfast.platform.clock import SECOND, iso
from holdfast.platform.project.retry import RetryRule
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Transaction, insert_new
from holdfast.platform.store.runs import cancel_asked, find_run, is_alone, newer_run_exists, note

#: Who made a run, where nobody did.
BY_ITSELF = "automatic retry"
#: So often it is tried to make a run, over some half an hour.
TRIES = 12


def plan(tx: Transaction, run_id: str, state: RunState, *, told: bool) -> None:
    """A run has ended: plan its retry if its workflow has a rule for that.

    `told`: by its worker's word, so that all its steps are known. Who tries one step tries it
    again by hand.
    """
    if state in {RunState.SUCCESS, RunState.CANCELLED}:
        return
    run = find_run(tx.connection, run_id)
    rule = None if run is None else rule_of(tx.connection, run.workflow_id)
    if run is None or rule is None or is_alone(run) or cancel_asked(run):
        return
    if newer_run_exists(tx.connection, run):
        return
    untouched = told and not _began(tx.connection, run.id)
    if (why := rule.refusal(state, run.retries, untouched=untouched)) is not None:
        note(tx, run.id, "not retried", why=why)
        return
    due = tx.now + rule.wait_seconds(run.retries) * SECOND
    tx.connection.execute(
        insert_new(tx.connection.dialect.name, t.retries).values(run_id=run.id, due_at=due)
    )
    note(tx, run.id, "retry planned", due=iso(due))


def rule_of(connection: Connection, workflow_id: str) -> RetryRule | None:
    """What the workflow says of retries now."""
    text = connection.scalar(select(t.workflows.c.retry).where(t.workflows.c.id == workflow_id))
    return None if text is None else RetryRule.of(json.loads(text))


def _began(connection: Connection, run_id: str) -> bool:
    """Whether the run has steps of its own: not carried over from a run before."""
    mine, others = t.run_steps.alias(), t.run_steps.alias()
    shared = exists().where(others.c.step_id == mine.c.step_id, others.c.run_id != run_id)
    query = select(mine.c.step_id).where(mine.c.run_id == run_id, ~shared).limit(1)
    return connection.scalar(query) is not None


def due(connection: Connection, at: int, most: int = 50) -> list[str]:
    """Ids of runs whose retry is due, the longest first."""
    c = t.retries.c
    query = select(c.run_id).where(c.due_at <= at).order_by(c.due_at).limit(most)
    return list(connection.scalars(query))


def due_of(connection: Connection, run_id: str) -> int | None:
    """When the retry of a run is due, microseconds; None: none is planned."""
    query = select(t.retries.c.due_at).where(t.retries.c.run_id == run_id)
    found: int | None = connection.scalar(query)
    return found


def drop_of_order(tx: Transaction, work_order_id: str) -> None:
    """Take away what is planned for any run of a work order."""
    mine = select(t.runs.c.id).where(t.runs.c.work_order_id == work_order_id)
    tx.connection.execute(delete(t.retries).where(t.retries.c.run_id.in_(mine)))


def failed(tx: Transaction, run_id: str, problem: str) -> bool:
    """The retry could not be made: try later, each time twice as late. Whether it is given up."""
    c = t.retries.c
    tries = tx.connection.scalar(select(c.tries).where(c.run_id == run_id))
    if tries is None:
        return False
    if tries + 1 >= TRIES:
        drop(tx, run_id)
        note(tx, run_id, "not retried", why=problem)
        return True
    due_at = tx.now + (1 << tries) * SECOND
    later = update(t.retries).where(c.run_id == run_id)
    tx.connection.execute(later.values(tries=tries + 1, due_at=due_at))
    return False


def drop(tx: Transaction, run_id: str) -> bool:
    """Take a planned retry away; whether there was one."""
    gone = delete(t.retries).where(t.retries.c.run_id == run_id)
    return tx.connection.execute(gone).rowcount == 1

"""Runs and their work orders: creation and the state machine (`docs/spec/platform.md` 1.2, 1.3).

Every transition is one conditional update in the database, never a decision about a copy.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update

from holdfast.model.json import JsonObject
from holdfast.model.outcome import RunState
from holdfast.platform.settings import Settings
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row, Transaction
from holdfast.platform.store.snapshots import newest_snapshot

ACTIVE = (RunState.STARTED, RunState.AVAILABLE, RunState.CLAIMED)
IMMEDIATE, NORMAL = 0, 1

#: Runs' state -> work order's state; a claimed run cannot be cancelled any more, so it runs.
_WORK_ORDER_STATE = {
    RunState.AVAILABLE: "pending",
    RunState.CLAIMED: "running",
    RunState.STARTED: "running",
}

#: What a note says when somebody wants a run to end that a worker has.
CANCEL_ASKED = "cancel asked"
#: Notes of one kind that are kept.
_NOTES_EACH = 20


@dataclass(frozen=True, slots=True)
class Start:
    """What a run is to be made of. Exactly one of trigger and job."""

    workflow_id: str
    dataclip_id: str | None
    trigger_id: str | None = None
    job_id: str | None = None
    queue: str = "default"
    priority: int = NORMAL
    created_by: str | None = None


@dataclass(frozen=True, slots=True)
class Created:
    """Ids of a new work order and its first run."""

    work_order_id: str
    run_id: str


def create_work_order(tx: Transaction, start: Start, settings: Settings) -> Created:
    """A work order with one run, waiting in the queue."""
    workflow = tx.connection.execute(
        select(t.workflows).where(t.workflows.c.id == start.workflow_id)
    ).one()
    snapshot_id = newest_snapshot(tx.connection, start.workflow_id)
    work_order_id = str(uuid.uuid4())
    tx.connection.execute(
        insert(t.work_orders).values(
            id=work_order_id,
            project_id=workflow.project_id,
            workflow_id=start.workflow_id,
            snapshot_id=snapshot_id,
            trigger_id=start.trigger_id,
            dataclip_id=start.dataclip_id,
            state="pending",
            last_activity=tx.now,
            inserted_at=tx.now,
        )
    )
    run_id = create_run(tx, work_order_id, snapshot_id, start, settings)
    return Created(work_order_id, run_id)


def create_run(
    tx: Transaction, work_order_id: str, snapshot_id: str, start: Start, settings: Settings
) -> str:
    """A run of a work order, waiting in the queue."""
    row = tx.connection.execute(
        select(
            t.workflows.c.project_id,
            t.workflows.c.enable_job_logs,
            t.projects.c.retention_policy,
            t.projects.c.kept,
            t.workflows.c.egress,
        )
        .join(t.projects, t.projects.c.id == t.workflows.c.project_id)
        .where(t.workflows.c.id == start.workflow_id)
    ).one()
    run_id = str(uuid.uuid4())
    tx.connection.execute(
        insert(t.runs).values(
            id=run_id,
            work_order_id=work_order_id,
            project_id=row.project_id,
            workflow_id=start.workflow_id,
            snapshot_id=snapshot_id,
            dataclip_id=start.dataclip_id,
            starting_trigger_id=start.trigger_id,
            starting_job_id=start.job_id,
            created_by=start.created_by,
            state=RunState.AVAILABLE.value,
            priority=start.priority,
            queue=start.queue,
            options=json.dumps(_options(row, settings)),
            inserted_at=tx.now,
        )
    )
    changed(tx, run_id, work_order_id, RunState.AVAILABLE)
    tx.notify("queue", "available", run_id=run_id)
    return run_id


def _options(row: Any, settings: Settings) -> JsonObject:
    """Options of a run, frozen at creation; the timeout is always said (4.9)."""
    options: JsonObject = {
        "output_dataclips": row.retention_policy != "erase_all",
        "run_timeout_ms": int(settings.run_timeout_seconds * 1000),
    }
    if settings.run_memory_mb is not None:
        options["run_memory_limit_mb"] = settings.run_memory_mb
    if not row.enable_job_logs:
        options["job_log_level"] = "none"
    if json.loads(row.kept or "{}").get("record") is True:
        options["record"] = True
    if row.egress is not None:
        options["egress"] = row.egress
    return options


def find_run(connection: Connection, run_id: str) -> Row | None:
    return connection.execute(select(t.runs).where(t.runs.c.id == run_id)).one_or_none()


def lock_run(tx: Transaction, run_id: str) -> Row | None:
    """The run, which no other platform can change until this transaction ends."""
    query = select(t.runs).where(t.runs.c.id == run_id).with_for_update()
    return tx.connection.execute(query).one_or_none()


def runs_of_work_order(connection: Connection, work_order_id: str) -> list[Row]:
    """Id, state and time of each run of a work order, oldest first."""
    r = t.runs.c
    return list(
        connection.execute(
            select(r.id, r.state, r.inserted_at)
            .where(r.work_order_id == work_order_id)
            .order_by(r.inserted_at)
        )
    )


def find_work_order(connection: Connection, work_order_id: str) -> Row | None:
    query = select(t.work_orders).where(t.work_orders.c.id == work_order_id)
    return connection.execute(query).one_or_none()


def set_values(tx: Transaction, run_id: str, **values: Any) -> None:
    """Change what is known of a run; its state changes in `transition` only."""
    tx.connection.execute(update(t.runs).where(t.runs.c.id == run_id).values(**values))


def heard_of(tx: Transaction, run_id: str, event: str) -> None:
    """Remember the run's last sign of life."""
    set_values(tx, run_id, last_event=event, last_event_at=tx.now)


def run_to_show(connection: Connection, run_id: str) -> Row | None:
    """A run without the answer it gave its caller, which may be large."""
    columns = [*t.LISTED_RUN, t.runs.c.postmortem]
    return connection.execute(select(*columns).where(t.runs.c.id == run_id)).one_or_none()


def is_live(run: Row) -> bool:
    """Whether the run may be under way: a lost one may, too, until its worker tells its end."""
    return not RunState(run.state).final or run.state == RunState.LOST.value


def transition(
    tx: Transaction, run: Row, to: RunState, *from_states: RunState, **values: Any
) -> bool:
    """Move a run to a state if it is in one of `from_states`; says whether it was."""
    done = tx.connection.execute(
        update(t.runs)
        .where(t.runs.c.id == run.id, t.runs.c.state.in_([s.value for s in from_states]))
        .values(state=to.value, **values)
    )
    if done.rowcount != 1:
        return False
    changed(tx, run.id, run.work_order_id, to)
    return True


def changed(tx: Transaction, run_id: str, work_order_id: str, state: RunState) -> None:
    """Bring the work order up to date and tell watchers: the worst unfinished run counts."""
    others = set(
        tx.connection.scalars(
            select(t.runs.c.state).where(
                t.runs.c.work_order_id == work_order_id,
                t.runs.c.id != run_id,
                t.runs.c.state.in_([s.value for s in ACTIVE]),
            )
        )
    )
    shown = next((s for s in ACTIVE if s.value in others), state)
    tx.connection.execute(
        update(t.work_orders)
        .where(t.work_orders.c.id == work_order_id)
        .values(state=_WORK_ORDER_STATE.get(shown, shown.value), last_activity=tx.now)
    )
    tx.notify(f"run:{run_id}", "state", state=state.value)
    tx.notify("runs", "state", run_id=run_id, state=state.value)


def note(tx: Transaction, run_id: str, what: str, **facts: Any) -> None:
    """Append to the run's notes: what the platform saw that no event tells.

    Of each kind the first are kept; the last of them counts the rest as `more`, so that many notes
    of one kind push out none of another.
    """
    mine = select(t.runs.c.notes).where(t.runs.c.id == run_id)
    text = tx.connection.scalar(mine.with_for_update())  # another platform may add to them, too
    notes = json.loads(text) if text else []
    kind = what, facts.get("event")
    alike = [old for old in notes if (old["what"], old.get("event")) == kind]
    told = {key: f"{fact:.200}" if isinstance(fact, str) else fact for key, fact in facts.items()}
    if len(alike) < _NOTES_EACH:
        notes.append({"at": tx.now, "what": what, **told})
    else:
        alike[-1] |= {"at": tx.now, "more": alike[-1].get("more", 0) + 1}
    tx.connection.execute(
        update(t.runs).where(t.runs.c.id == run_id).values(notes=json.dumps(notes))
    )


def cancel_asked(run: Row) -> str | None:
    """Why the run is to end, in words for its worker and its author; None: nobody wants it."""
    for note_ in json.loads(run.notes or "[]"):
        if note_["what"] == CANCEL_ASKED:
            return cancel_words(note_["by"])
    return None


def cancel_words(by: str) -> str:
    """What a cancelled run says of its end."""
    return f"{by} cancelled the run."


def newer_run_exists(connection: Connection, run: Row) -> bool:
    """Whether somebody has retried the work order since."""
    return (
        connection.scalar(
            select(t.runs.c.id)
            .where(
                t.runs.c.work_order_id == run.work_order_id,
                t.runs.c.inserted_at > run.inserted_at,
            )
            .limit(1)
        )
        is not None
    )

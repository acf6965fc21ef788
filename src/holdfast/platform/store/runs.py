"""Runs and their work orders: creation and the state machine (`docs/spec/platform.md` 1.2, 1.3).

Every transition is one conditional update in the database, never a decision about a copy.
What every run makes the database do is built once, as statements with parameters: to build one
takes several times longer than to execute it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Update, bindparam, case, func, or_, select, update

from holdfast.model.json import JsonObject
from holdfast.model.outcome import RunState
from holdfast.platform.settings import Settings
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row, Transaction
from holdfast.platform.store.lanes import DEFAULT
from holdfast.platform.store.line import Line
from holdfast.platform.store.rows import add_rows

ACTIVE = (RunState.STARTED, RunState.AVAILABLE, RunState.CLAIMED)

#: Runs' state -> work order's state; a claimed run cannot be cancelled any more, so it runs.
_WORK_ORDER_STATE = {
    RunState.AVAILABLE: "pending",
    RunState.CLAIMED: "running",
    RunState.STARTED: "running",
}

#: What a note says when somebody wants a run to end that a worker has.
CANCEL_ASKED = "cancel asked"
#: Runs of one work order that a list has: the newest.
_RUNS_OF_EACH = 20
#: Notes of one kind that are kept.
_NOTES_EACH = 20


#: The run of the parameter `of_run`.
_MINE = t.runs.c.id == bindparam("of_run")
_FIND = select(t.runs).where(_MINE)
_LOCK = _FIND.with_for_update()
#: Sets the columns that are given beside `of_run`.
_SET = update(t.runs).where(_MINE)
_NOTES = select(t.runs.c.notes).where(_MINE).with_for_update()
#: What a new run takes over from its project and its workflow, with the newest snapshot.
_BEGINNING = (
    select(
        t.workflows.c.project_id,
        t.workflows.c.enable_job_logs,
        t.workflows.c.priority,
        t.workflows.c.egress,
        t.projects.c.retention_policy,
        t.projects.c.kept,
        select(t.snapshots.c.id)
        .where(t.snapshots.c.workflow_id == t.workflows.c.id)
        .order_by(t.snapshots.c.lock_version.desc())
        .limit(1)
        .scalar_subquery()
        .label("snapshot_id"),
    )
    .join(t.projects, t.projects.c.id == t.workflows.c.project_id)
    .where(t.workflows.c.id == bindparam("of_workflow"))
)
#: What an event needs to know of its run.
_OF_EVENT = tuple(
    t.runs.c[name]
    for name in (
        *("id", "work_order_id", "project_id", "snapshot_id", "dataclip_id", "state"),
        *("options", "inserted_at", "started_at", "indexed_at"),
    )
)
_HEARD = (
    update(t.runs)
    .where(_MINE, t.runs.c.claim_id == bindparam("of_claim"))
    .values(last_event=bindparam("event"), last_event_at=bindparam("at"))
    .returning(*_OF_EVENT)
)
_JOIN = (
    update(t.runs)
    .where(
        _MINE,
        t.runs.c.claim_id == bindparam("of_claim"),
        t.runs.c.state != RunState.AVAILABLE.value,
    )
    .values(
        joined_at=func.coalesce(t.runs.c.joined_at, bindparam("at")),
        claim_expires_at=None,
        platform_id=bindparam("here"),
        last_event="join",
        last_event_at=bindparam("at"),
    )
)
#: The state that a work order shows for its other runs; null: none of them is active.
_OTHERS = (
    select(case({s.value: _WORK_ORDER_STATE[s] for s in ACTIVE}, value=t.runs.c.state))
    .where(
        t.runs.c.work_order_id == bindparam("of_order"),
        t.runs.c.id != bindparam("of_run"),
        or_(*(t.runs.c.state == s.value for s in ACTIVE)),
    )
    .order_by(case({s.value: rank for rank, s in enumerate(ACTIVE)}, value=t.runs.c.state))
    .limit(1)
    .scalar_subquery()
)
_CHANGE_WORK_ORDER = (
    update(t.work_orders)
    .where(t.work_orders.c.id == bindparam("of_order"))
    .values(state=func.coalesce(_OTHERS, bindparam("own")), last_activity=bindparam("at"))
)


#: The option of a run that executes one step only. No worker sees it.
ALONE = "alone"


@dataclass(frozen=True, slots=True)
class Start:
    """What a run is to be made of. Exactly one of trigger and job."""

    workflow_id: str
    dataclip_id: str | None
    trigger_id: str | None = None
    job_id: str | None = None
    queue: str = DEFAULT
    #: None: the workflow's.
    priority: int | None = None
    created_by: str | None = None
    #: Automatic retries that came before it.
    retries: int = 0
    #: Of a cron trigger: which of its times it is, microseconds.
    scheduled_at: int | None = None
    #: The job, and none that comes after it.
    alone: bool = False
    #: The longest that it may take, where that is less than usual.
    most_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Created:
    """Ids of a new work order and its first run."""

    work_order_id: str
    run_id: str


def create_work_order(tx: Transaction, start: Start, settings: Settings) -> Created:
    """A work order with one run, waiting in the queue."""
    return create_work_orders(tx, [start], settings)[0]


def create_work_orders(
    tx: Transaction, starts: Sequence[Start], settings: Settings
) -> list[Created]:
    """The same for several, with as many statements as for one."""
    workflows = {start.workflow_id for start in starts}
    beginnings = {key: _beginning(tx.connection, key, settings) for key in workflows}
    orders, runs = list[dict[str, Any]](), list[dict[str, Any]]()
    for start in starts:
        beginning = beginnings[start.workflow_id]
        orders.append(_order(tx, beginning, start))
        runs.append(_run(tx, beginning, orders[-1]["id"], start))
    add_rows(tx.connection, t.work_orders, orders)
    add_rows(tx.connection, t.runs, runs)
    for run in runs:  # nobody can watch `run:<id>` yet
        tx.notify("runs", "state", run_id=run["id"], state=RunState.AVAILABLE.value)
        _waits(tx, run)
    return [Created(run["work_order_id"], run["id"]) for run in runs]


def create_run(tx: Transaction, work_order_id: str, start: Start, settings: Settings) -> str:
    """A further run of a work order, of its workflow as it is now, waiting in the queue."""
    beginning = _beginning(tx.connection, start.workflow_id, settings)
    run = _run(tx, beginning, work_order_id, start)
    add_rows(tx.connection, t.runs, [run])
    run_id = str(run["id"])
    _waits(tx, run)
    changed(tx, run_id, work_order_id, RunState.AVAILABLE)
    return run_id


@dataclass(frozen=True, slots=True)
class _Beginning:
    """What a run takes over: a row of `_BEGINNING`, and its options as JSON."""

    row: Row
    options: str


def _beginning(connection: Connection, workflow_id: str, settings: Settings) -> _Beginning:
    row = connection.execute(_BEGINNING, {"of_workflow": workflow_id}).one()
    return _Beginning(row, json.dumps(_options(row, settings)))


def _order(tx: Transaction, beginning: _Beginning, start: Start) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "project_id": beginning.row.project_id,
        "workflow_id": start.workflow_id,
        "snapshot_id": beginning.row.snapshot_id,
        "trigger_id": start.trigger_id,
        "dataclip_id": start.dataclip_id,
        "state": _WORK_ORDER_STATE[RunState.AVAILABLE],
        "scheduled_at": start.scheduled_at,
        "last_activity": tx.now,
        "inserted_at": tx.now,
    }


def _run(
    tx: Transaction, beginning: _Beginning, work_order_id: str, start: Start
) -> dict[str, Any]:
    row = beginning.row
    return {
        "id": str(uuid.uuid4()),
        "work_order_id": work_order_id,
        "project_id": row.project_id,
        "workflow_id": start.workflow_id,
        "snapshot_id": row.snapshot_id,
        "dataclip_id": start.dataclip_id,
        "starting_trigger_id": start.trigger_id,
        "starting_job_id": start.job_id,
        "created_by": start.created_by,
        "state": RunState.AVAILABLE.value,
        "priority": row.priority if start.priority is None else start.priority,
        "queue": start.queue,
        "retries": start.retries,
        "options": _alone(beginning.options, start) if start.alone else beginning.options,
        "inserted_at": tx.now,
    }


def _alone(options: str, start: Start) -> str:
    """The options of a run of one step; `plan_of` leaves the others out."""
    own = {**json.loads(options), ALONE: True}
    if start.most_seconds is not None:
        own["run_timeout_ms"] = min(own["run_timeout_ms"], int(start.most_seconds * 1000))
    return json.dumps(own)


def is_alone(run: Row) -> bool:
    """Whether a run executes one step only."""
    return json.loads(run.options).get(ALONE) is True


def is_whole(options: ColumnElement[str]) -> ColumnElement[bool]:
    """The opposite of `is_alone`, in a query: quotes inside a JSON text are written otherwise."""
    return ~options.contains(f'"{ALONE}": true')


def _waits(tx: Transaction, run: dict[str, Any]) -> None:
    """The run is in the queue."""
    lane = run["queue"], int(run["priority"]), run["project_id"], run["workflow_id"]
    tx.kept(Line).came(lane)
    tx.notify("queue", "available", run_id=run["id"])


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
    return connection.execute(_FIND, {"of_run": run_id}).one_or_none()


def lock_run(tx: Transaction, run_id: str) -> Row | None:
    """The run, which no other platform can change until this transaction ends."""
    return tx.connection.execute(_LOCK, {"of_run": run_id}).one_or_none()


def runs_of_work_orders(connection: Connection, ids: Collection[str]) -> list[Row]:
    """What lists show of the newest runs of these work orders, the oldest first.

    `number` counts all runs of the work order from 1.
    """
    r = t.runs.c
    nth = func.row_number().over(
        partition_by=r.work_order_id, order_by=(r.inserted_at.desc(), r.id.desc())
    )
    columns = (r.id, r.work_order_id, r.state, r.error_type, r.error_message, r.inserted_at,
               r.claimed_at, r.finished_at, r.queue, r.project_id, r.workflow_id,
               r.starting_trigger_id, r.peak_memory)  # fmt: skip
    many = func.count().over(partition_by=r.work_order_id)
    counted = (nth.label("nth"), (many - nth + 1).label("number"))
    some = select(*columns, *counted).where(r.work_order_id.in_(list(ids))).subquery()
    query = select(some).where(some.c.nth <= _RUNS_OF_EACH)
    return list(connection.execute(query.order_by(some.c.inserted_at, some.c.id)))


def find_work_order(connection: Connection, work_order_id: str) -> Row | None:
    query = select(t.work_orders).where(t.work_orders.c.id == work_order_id)
    return connection.execute(query).one_or_none()


def set_values(tx: Transaction, run_id: str, **values: Any) -> None:
    """Change what is known of a run; its state changes in `transition` only."""
    tx.connection.execute(_SET, {"of_run": run_id, **values})


def heard_of(tx: Transaction, run_id: str, claim_id: str, event: str) -> Row | None:
    """Remember the last sign of life of a run that this claim has.

    Returns what an event needs to know of the run; None: the claim does not have it.
    """
    values = {"of_run": run_id, "of_claim": claim_id, "event": event, "at": tx.now}
    return tx.connection.execute(_HEARD, values).one_or_none()


def join(tx: Transaction, run_id: str, claim_id: str, platform_id: str) -> bool:
    """Mark a run whose worker has come to this platform for it; False: the claim is void."""
    values = {"of_run": run_id, "of_claim": claim_id, "at": tx.now, "here": platform_id}
    return tx.connection.execute(_JOIN, values).rowcount == 1


def run_to_show(connection: Connection, run_id: str) -> Row | None:
    """A run without the answer it gave its caller, which may be large."""
    columns = [*t.LISTED_RUN, t.runs.c.postmortem, t.runs.c.spans]
    return connection.execute(select(*columns).where(t.runs.c.id == run_id)).one_or_none()


def last_success(connection: Connection, run: Row) -> str | None:
    """The id of the workflow's last success before a run, among its last 2,000 runs.

    A run of one step is none.
    """
    r = t.runs.c
    before = (
        select(r.id, r.state, r.inserted_at, r.options)
        .where(r.workflow_id == run.workflow_id, r.inserted_at < run.inserted_at)
        .order_by(r.inserted_at.desc())
        .limit(2000)
        .subquery()
    )
    success = before.c.state == RunState.SUCCESS.value, is_whole(before.c.options)
    query = select(before.c.id).where(*success)
    found: str | None = connection.scalar(query.order_by(before.c.inserted_at.desc()).limit(1))
    return found


def is_live(run: Row) -> bool:
    """Whether the run may be under way: a lost one may, too, until its worker tells its end."""
    return not RunState(run.state).final or run.state == RunState.LOST.value


def transition(
    tx: Transaction, run: Row, to: RunState, *from_states: RunState, **values: Any
) -> bool:
    """Move a run to a state if it is in one of `from_states`; says whether it was."""
    set_to = {"of_run": run.id, "state": to.value, **values}
    if tx.connection.execute(_set_from(from_states), set_to).rowcount != 1:
        return False
    changed(tx, run.id, run.work_order_id, to)
    return True


@cache
def _set_from(states: tuple[RunState, ...]) -> Update:
    """`_SET` of a run that is in one of these states."""
    return _SET.where(or_(*(t.runs.c.state == state.value for state in states)))


def changed(tx: Transaction, run_id: str, work_order_id: str, state: RunState) -> None:
    """Bring the work order up to date and tell watchers: the worst unfinished run counts."""
    own = _WORK_ORDER_STATE.get(state, state.value)
    values = {"of_order": work_order_id, "of_run": run_id, "own": own, "at": tx.now}
    tx.connection.execute(_CHANGE_WORK_ORDER, values)
    _tell(tx, run_id, state)


def _tell(tx: Transaction, run_id: str, state: RunState) -> None:
    tx.notify(f"run:{run_id}", "state", state=state.value)
    tx.notify("runs", "state", run_id=run_id, state=state.value)


def note(tx: Transaction, run_id: str, what: str, **facts: Any) -> None:
    """Append to the run's notes: what the platform saw that no event tells.

    Of each kind the first are kept; the last of them counts the rest as `more`, so that many notes
    of one kind push out none of another.
    """
    # locked, as another platform may add to them, too
    text = tx.connection.scalar(_NOTES, {"of_run": run_id})
    notes = json.loads(text) if text else []
    kind = what, facts.get("event")
    alike = [old for old in notes if (old["what"], old.get("event")) == kind]
    told = {key: f"{fact:.200}" if isinstance(fact, str) else fact for key, fact in facts.items()}
    if len(alike) < _NOTES_EACH:
        notes.append({"at": tx.now, "what": what, **told})
    else:
        alike[-1] |= {"at": tx.now, "more": alike[-1].get("more", 0) + 1}
    set_values(tx, run_id, notes=json.dumps(notes))


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

"""Which run goes to a worker that asks (`docs/spec/platform.md` 2.4).

Eligible is an available run whose workflow and project are below their concurrency. Order: the
worker's preference of queues, priority, the project that has waited longest for a claim, age.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    bindparam,
    case,
    func,
    literal,
    nulls_first,
    select,
    update,
)

from holdfast.model.json import JsonObject
from holdfast.model.outcome import RunState
from holdfast.platform.clock import SECOND, now
from holdfast.platform.settings import Settings
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row, Transaction, lock_claims
from holdfast.platform.store.lists import seen
from holdfast.platform.store.runs import changed
from holdfast.protocol.messages import Claim

#: Runs of one claim at most, whatever a worker asks.
MOST = 50
UNFINISHED = (RunState.AVAILABLE, RunState.CLAIMED, RunState.STARTED)
#: Time a run token stays good after the run's own limit, seconds: rejoins must not be refused.
TOKEN_SLACK = 600


#: Statements that every claim makes are built once: to build one takes longer than to execute it.
_ANY_WAITS = select(t.runs.c.id).where(t.WAITING).limit(1)
#: Workflows and projects that have as many runs under way as they may.
_FULL_WORKFLOWS, _FULL_PROJECTS = (
    select(table.c.id)
    .join(t.runs, column == table.c.id)
    .where(t.UNDER_WAY, table.c.concurrency.is_not(None))
    .group_by(table.c.id, table.c.concurrency)
    .having(func.count() >= table.c.concurrency)
    for table, column in (
        (t.workflows, t.runs.c.workflow_id),
        (t.projects, t.runs.c.project_id),
    )
)
#: What runs that are the same for a claim have in common.
_KIND = (t.runs.c.queue, t.runs.c.priority, t.runs.c.project_id, t.runs.c.workflow_id)
_OLDEST = (
    select(t.runs.c.id, t.runs.c.project_id, t.runs.c.work_order_id)
    .where(t.WAITING, *(column == bindparam(f"of_{column.name}") for column in _KIND))
    .order_by(t.runs.c.inserted_at, t.runs.c.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_TAKE = (
    update(t.runs)
    .where(t.runs.c.id == bindparam("of_run"), t.runs.c.state == RunState.AVAILABLE.value)
    .returning(t.runs.c.options)
)
_TURN = update(t.projects).where(t.projects.c.id == bindparam("of_project"))


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that now belongs to a worker. `expires_at` is the token's, Unix seconds."""

    run_id: str
    claim_id: str
    not_before: int
    expires_at: int


def claim(tx: Transaction, asked: Claim, worker_id: str, settings: Settings) -> list[Claimed]:
    """Take up to `demand` runs from the queue for this worker."""
    lock_claims(tx.connection)
    taken = []
    for place in range(min(asked.demand, MOST)):
        found = _next_run(tx.connection, asked.queues)
        if found is None:
            break
        taken.append(_take(tx, found, asked, worker_id, settings))
        _remember_turn(tx, found.project_id, place)
    return taken


def _next_run(connection: Connection, queues: tuple[str, ...]) -> Row | None:
    """`id`, `project_id` and `work_order_id` of a run."""
    if connection.scalar(_ANY_WAITS) is None:  # most claims find none
        return None
    best = connection.execute(_best(queues)).one_or_none()
    if best is None:
        return None
    same = {f"of_{column.name}": value for column, value in zip(_KIND, best, strict=False)}
    return connection.execute(_OLDEST, same).one_or_none()


@lru_cache(64)
def _best(queues: tuple[str, ...]) -> Select[Any]:
    """The kind of run that is next for a worker with these queues."""
    r, p = t.runs.c, t.projects.c
    heads = (
        select(*_KIND, func.min(r.inserted_at).label("oldest"))
        .where(
            t.WAITING,
            r.workflow_id.not_in(_FULL_WORKFLOWS),
            r.project_id.not_in(_FULL_PROJECTS),
        )
        .group_by(*_KIND)
    )
    if "*" not in queues:
        heads = heads.where(r.queue.in_(queues))
    # few rows are sorted: one for each queue, priority and workflow, however long the queue
    h = heads.subquery()
    order = (_preference(h.c.queue, queues), h.c.priority, nulls_first(p.last_claim_at))
    return (
        select(*h.c)
        .join(t.projects, p.id == h.c.project_id)
        .order_by(*order, h.c.oldest, h.c.workflow_id)
        .limit(1)
    )


def _preference(queue: ColumnElement[str], queues: tuple[str, ...]) -> ColumnElement[Any]:
    """Position of the run's queue in the list; `*` stands for all that are not named."""
    named = {name: place for place, name in reversed(list(enumerate(queues))) if name != "*"}
    other = queues.index("*") if "*" in queues else len(queues)
    return case(named, value=queue, else_=other) if named else literal(0)


def _take(tx: Transaction, run: Row, asked: Claim, worker_id: str, settings: Settings) -> Claimed:
    claim_id = str(uuid.uuid4())
    values = {
        "of_run": run.id,
        "state": RunState.CLAIMED.value,
        "claimed_at": tx.now,
        "worker_id": worker_id,
        "worker_name": asked.worker_name,
        "claim_id": claim_id,
        "claim_expires_at": tx.now + int(settings.join_deadline_seconds * SECOND),
        "joined_at": None,
        "last_event": "claim",
        "last_event_at": tx.now,
    }
    row = tx.connection.execute(_TAKE, values).one()
    changed(tx, run.id, run.work_order_id, RunState.CLAIMED)
    timeout = json.loads(row.options)["run_timeout_ms"] / 1000
    issued = tx.now // SECOND
    expires = issued + int(timeout + settings.grace_seconds) + TOKEN_SLACK
    return Claimed(run.id, claim_id, issued, expires)


def _remember_turn(tx: Transaction, project_id: str, place: int) -> None:
    """The project goes to the end of the line; `place` keeps the order within one claim."""
    values = {"of_project": project_id, "last_claim_at": tx.now + place}
    tx.connection.execute(_TURN, values)


def summary(connection: Connection, visible: frozenset[str] | None = None) -> JsonObject:
    """How many runs wait, by queue, since when (seconds), and how many workers have.

    `visible`: of these projects only.
    """
    r = t.runs.c
    counts = select(
        r.state, r.queue, func.count().label("n"), func.min(r.inserted_at).label("oldest")
    ).group_by(r.state, r.queue)
    rows = [
        row
        for condition in (t.WAITING, t.UNDER_WAY)
        for row in connection.execute(counts.where(condition, seen(r.project_id, visible)))
    ]
    waiting = [row for row in rows if row.state == RunState.AVAILABLE.value]
    oldest = min((row.oldest for row in waiting), default=None)
    return {
        **{s.value: sum(row.n for row in rows if row.state == s.value) for s in UNFINISHED},
        "by_queue": {row.queue: row.n for row in waiting},
        "oldest_waiting_seconds": None if oldest is None else (now() - oldest) / SECOND,
    }

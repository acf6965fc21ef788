"""Which run goes to a worker that asks (`docs/spec/platform.md` 2.4).

Eligible is an available run whose workflow and project are below their concurrency and not paused,
and which need not wait for another run of its cron trigger. Order: the
worker's preference of queues, priority, the project that has waited longest for a claim, age.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from functools import partial

from sqlalchemy import and_, bindparam, func, not_, select, update

from holdfast.model.json import JsonObject
from holdfast.model.outcome import RunState
from holdfast.platform.clock import SECOND, iso, now
from holdfast.platform.settings import Settings
from holdfast.platform.store import tables as t
from holdfast.platform.store.columns import unindexed
from holdfast.platform.store.database import Connection, Transaction, lock_claims
from holdfast.platform.store.line import Head, Line, Room, RoomNow, oldest
from holdfast.platform.store.lists import seen
from holdfast.platform.store.pauses import PAUSED, paused_workflows, queue_pause
from holdfast.platform.store.runs import changed
from holdfast.protocol.messages import Claim

#: Runs of one claim at most, whatever a worker asks.
MOST = 50
UNFINISHED = (RunState.AVAILABLE, RunState.CLAIMED, RunState.STARTED)
#: Time a run token stays good after the run's own limit, seconds: rejoins must not be refused.
TOKEN_SLACK = 600


#: Built once: to build a statement takes longer than to execute it.
_OPEN = select(
    and_(
        select(t.runs.c.id).where(t.WAITING).limit(1).exists(),
        not_(PAUSED),
    )
)
#: Lanes that other processes have filled are seen within so many seconds, and within those of
#: `_AGAIN_SECONDS` by a claim that would get nothing.
_FRESH_SECONDS, _OLD_SECONDS, _AGAIN_SECONDS = 2.0, 60.0, 0.2
_FREE = select(t.runs.c.id).where(t.runs.c.id == bindparam("of_run"), t.WAITING)
_TAKE = (
    update(t.runs)
    .where(t.runs.c.id == _FREE.with_for_update(skip_locked=True).scalar_subquery())
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
    waited_seconds: float


def claim(tx: Transaction, asked: Claim, worker_id: str, settings: Settings) -> list[Claimed]:
    """Take up to `demand` runs from the queue for this worker."""
    lock_claims(tx.connection)
    if not tx.once(_is_open):
        return []
    room, line = tx.once(_room), tx.kept(Line)
    taken = list[Claimed]()
    while len(taken) < min(asked.demand, MOST):
        if (head := _next(tx, line, room, asked.queues)) is None:
            break
        line.gone(head)
        claimed = _take(tx, head, asked, worker_id, settings)
        if claimed is not None:
            at = tx.now + len(taken)  # keeps the order within one claim
            _remember_turn(tx, head.project_id, at)
            room.took(head, at)
            taken.append(claimed)
    return taken


def _room(connection: Connection) -> Room:
    return RoomNow(connection=connection)


def _is_open(connection: Connection) -> bool:
    """Whether anything waits, and the queue is not paused; most claims find nothing."""
    return bool(connection.scalar(_OPEN))


def _next(tx: Transaction, line: Line, room: Room, queues: tuple[str, ...]) -> Head | None:
    """The run that is next; the lanes are read anew when they are old, or none of them fits."""
    now_, rank = time.monotonic(), partial(_rank, queues=queues)
    several = tx.connection.dialect.name == "postgresql"
    if now_ - line.read_at > (_FRESH_SECONDS if several else _OLD_SECONDS):
        line.read(tx.connection, now_)
    head = line.best(room, rank, partial(oldest, tx.connection))
    if head is None and now_ - line.read_at > _AGAIN_SECONDS:
        line.read(tx.connection, now_)
        head = line.best(room, rank, partial(oldest, tx.connection))
    return head


def _rank(queue: str, queues: tuple[str, ...]) -> int | None:
    """Position of a queue in the list; `*` stands for all that are not named."""
    named = queue if queue in queues else "*"
    return queues.index(named) if named in queues else None


def _take(
    tx: Transaction, head: Head, asked: Claim, worker_id: str, settings: Settings
) -> Claimed | None:
    """None: it does not wait any more, or somebody is about to change it."""
    claim_id = str(uuid.uuid4())
    values = {
        "of_run": head.id,
        "state": RunState.CLAIMED.value,
        "claimed_at": tx.now,
        "worker_id": worker_id,
        "worker_name": asked.worker_name or worker_id,
        "claim_id": claim_id,
        "claim_expires_at": tx.now + int(settings.join_deadline_seconds * SECOND),
        "joined_at": None,
        "last_event": "claim",
        "last_event_at": tx.now,
    }
    options = tx.connection.scalar(_TAKE, values)
    if options is None:
        return None
    changed(tx, head.id, head.work_order_id, RunState.CLAIMED)
    timeout = json.loads(options)["run_timeout_ms"] / 1000
    issued = tx.now // SECOND
    expires = issued + int(timeout + settings.grace_seconds) + TOKEN_SLACK
    waited = max(0, tx.now - head.inserted_at) / SECOND
    return Claimed(head.id, claim_id, issued, expires, waited)


def _remember_turn(tx: Transaction, project_id: str, at: int) -> None:
    """The project goes to the end of the line."""
    tx.connection.execute(_TURN, {"of_project": project_id, "last_claim_at": at})


def summary(connection: Connection, visible: frozenset[str] | None = None) -> JsonObject:
    """How many runs wait, by queue, since when (seconds), and how many workers have.

    `visible`: of these projects only.
    """
    r = t.runs.c
    counts = select(
        r.state, r.queue, func.count().label("n"), func.min(r.inserted_at).label("oldest")
    ).group_by(r.state, r.queue)
    mine = seen(unindexed(r.project_id), visible)
    rows = [
        row
        for condition in (t.WAITING, t.UNDER_WAY)
        for row in connection.execute(counts.where(condition, mine))
    ]
    waiting = [row for row in rows if row.state == RunState.AVAILABLE.value]
    oldest = min((row.oldest for row in waiting), default=None)
    pause = queue_pause(connection)
    return {
        **{s.value: sum(row.n for row in rows if row.state == s.value) for s in UNFINISHED},
        "by_queue": {row.queue: row.n for row in waiting},
        "oldest_waiting_seconds": None if oldest is None else (now() - oldest) / SECOND,
        "paused": pause and {"since": iso(pause.changed_at), "by": pause.changed_by},
        "paused_workflows": [
            {"id": row.id, "name": row.name, "since": iso(row.paused_at), "by": row.paused_by}
            for row in paused_workflows(connection, visible)
        ],
    }

"""The platform's state in numbers: what waits, what is under way, who is there."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select, text

from holdfast.platform.clock import SECOND
from holdfast.platform.store import process_tables as pt
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection
from holdfast.platform.store.lanes import QUEUES
from holdfast.platform.store.liveness import living
from holdfast.platform.store.pauses import queue_pause

_SIZE = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT pg_database_size(current_database())",
}


@dataclass(frozen=True, slots=True)
class State:
    """Numbers of one moment."""

    #: Runs that wait, by queue.
    queues: dict[str, int]
    #: Runs that a worker has, by state.
    active: dict[str, int]
    oldest_seconds: float
    #: Those that wait and are not paused, and how long the oldest of them has waited.
    claimable: int
    claimable_seconds: float
    queue_paused: bool
    paused_workflows: int
    workers: int
    capacity: int
    retries: int
    platforms: int
    database_bytes: int


def state_of(connection: Connection, at: int) -> State:
    """No row of history is read."""
    r, w, f = t.runs.c, pt.workers.c, t.workflows.c
    alive = living(connection, at)
    resting = select(f.id).where(f.paused_at.is_not(None), f.deleted_at.is_(None))
    free = r.workflow_id.not_in(resting)
    number, first = func.count(), func.min(r.inserted_at)
    columns = (r.queue, number, first, number.filter(free), first.filter(free))
    waiting = connection.execute(select(*columns).where(t.WAITING).group_by(r.queue)).all()
    active = select(r.state, func.count()).where(t.UNDER_WAY).group_by(r.state)
    there = (w.disconnected_at.is_(None), w.platform_id.in_(sorted(alive)))
    workers = connection.execute(select(func.count(), func.sum(w.capacity)).where(*there)).one()
    paused = select(func.count()).select_from(resting.subquery())
    queue_paused = queue_pause(connection) is not None
    claimable = [] if queue_paused else [row[3:] for row in waiting if row[3]]
    return State(
        queues=dict.fromkeys(QUEUES, 0) | {row[0]: row[1] for row in waiting},
        active={row[0]: row[1] for row in connection.execute(active)},
        oldest_seconds=_age(at, [row[2] for row in waiting]),
        claimable=sum(count for count, _ in claimable),
        claimable_seconds=_age(at, [oldest for _, oldest in claimable]),
        queue_paused=queue_paused,
        paused_workflows=connection.scalar(paused) or 0,
        workers=workers[0],
        capacity=workers[1] or 0,
        retries=connection.scalar(select(func.count()).select_from(t.retries)) or 0,
        platforms=len(alive),
        database_bytes=connection.scalar(text(_SIZE[connection.dialect.name])) or 0,
    )


def _age(at: int, times: list[int]) -> float:
    """Seconds since the first of these times (microseconds); 0 where there is none."""
    return max(0, at - min(times, default=at)) / SECOND

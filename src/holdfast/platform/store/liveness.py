"""Which platforms live, and what is connected to them: every process sees the same.

Each platform leaves a sign of life in the database. A worker or a run belongs to the platform that
holds its socket; what belongs to a platform that lives is believed to be connected.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update

from holdfast.platform.clock import SECOND
from holdfast.platform.store import process_tables as pt
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row, Transaction

#: Between two signs of life, seconds.
PULSE_SECONDS = 5.0
#: A platform without a sign of life for so long is taken to be dead, seconds.
DEAD_SECONDS = 30
#: How long a dead one is remembered, seconds.
_REMEMBERED_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Sighting:
    """A run that a worker has, and what is connected of it, at any platform."""

    run: Row
    channel: bool
    worker: bool
    #: The last sign of life of the run, or of the platform that held its channel; microseconds.
    heard_at: int


def begin(tx: Transaction, platform_id: str) -> None:
    """A platform has started."""
    values = {"id": platform_id, "started_at": tx.now, "seen_at": tx.now}
    tx.connection.execute(insert(pt.platforms).values(values))


def pulse(tx: Transaction, platform_id: str) -> None:
    """A sign of life."""
    c = pt.platforms.c
    tx.connection.execute(
        update(pt.platforms).where(c.id == platform_id).values(seen_at=tx.now, stopped_at=None)
    )


def end(tx: Transaction, platform_id: str) -> None:
    """A platform stops. Those that ended long ago are forgotten."""
    c = pt.platforms.c
    tx.connection.execute(
        update(pt.platforms).where(c.id == platform_id).values(seen_at=tx.now, stopped_at=tx.now)
    )
    oldest = tx.now - _REMEMBERED_SECONDS * SECOND
    tx.connection.execute(delete(pt.platforms).where(c.seen_at < oldest))


def living(connection: Connection, at: int) -> set[str]:
    """Ids of the platforms that live."""
    c = pt.platforms.c
    alive = select(c.id).where(c.seen_at >= at - DEAD_SECONDS * SECOND, c.stopped_at.is_(None))
    return set(connection.scalars(alive))


def is_attended(connection: Connection, run: Row, at: int) -> bool:
    """Whether the run's channel, or its worker, is connected to a platform that lives."""
    c, alive = pt.workers.c, living(connection, at)
    query = select(c.platform_id).where(c.id == run.worker_id, c.disconnected_at.is_(None))
    return run.platform_id in alive or connection.scalar(query) in alive


def sightings(connection: Connection, at: int) -> list[Sighting]:
    """All runs that a worker has: claimed or started. No row of history is read."""
    p, w, r = pt.platforms.c, pt.workers.c, t.runs.c
    seen = {row.id: row.seen_at for row in connection.execute(select(p.id, p.seen_at))}
    alive = living(connection, at)
    query = (
        select(*t.LISTED_RUN, w.platform_id.label("worker_at"), w.disconnected_at)
        .outerjoin(pt.workers, w.id == r.worker_id)
        .where(t.UNDER_WAY)
    )
    return [
        Sighting(
            run,
            channel=run.platform_id in alive,
            worker=run.worker_at in alive and run.disconnected_at is None,
            heard_at=max(run.last_event_at or 0, _left(run.platform_id, alive, seen)),
        )
        for run in connection.execute(query)
    ]


def _left(platform_id: str | None, alive: set[str], seen: dict[str, int]) -> int:
    """When a run lost its channel with a platform that died; 0 if it did not."""
    return 0 if platform_id is None or platform_id in alive else seen.get(platform_id, 0)


def channel_closed(tx: Transaction, run_id: str, platform_id: str) -> None:
    """A run's channel was left here, and not joined elsewhere since."""
    r = t.runs.c
    tx.connection.execute(
        update(t.runs).where(r.id == run_id, r.platform_id == platform_id).values(platform_id=None)
    )

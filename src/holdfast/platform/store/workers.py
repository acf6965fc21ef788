"""Workers that have connected: a mirror of `workers.registry` for people and for a restart."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, select, update

from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row, Transaction

_MOST_LISTED = 50


def put_worker(tx: Transaction, worker_id: str, **values: Any) -> None:
    """Store all columns of a worker, whether it was known or not."""
    if not change_worker(tx, worker_id, **values):
        tx.connection.execute(insert(t.workers).values(id=worker_id, **values))


def change_worker(tx: Transaction, worker_id: str, **values: Any) -> bool:
    """Change columns of a worker. Says whether it is known."""
    mine = t.workers.c.id == worker_id
    return tx.connection.execute(update(t.workers).where(mine).values(**values)).rowcount == 1


def recent_workers(connection: Connection) -> list[Row]:
    """The workers heard of last, newest first."""
    c = t.workers.c
    query = select(t.workers).order_by(c.last_heartbeat_at.desc()).limit(_MOST_LISTED)
    return list(connection.execute(query))

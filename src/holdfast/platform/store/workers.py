"""Workers that have connected, to any platform of this database."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import insert, select, update

from holdfast.model.json import Json, JsonObject
from holdfast.platform.clock import iso
from holdfast.platform.store import process_tables as pt
from holdfast.platform.store import tables as t
from holdfast.platform.store.columns import unindexed
from holdfast.platform.store.database import Connection, Row, Transaction
from holdfast.platform.store.lists import seen
from holdfast.platform.store.liveness import living

_MOST_LISTED = 50
#: Open runs of one worker that are shown.
_MOST_RUNS = 200


def put_worker(tx: Transaction, worker_id: str, **values: Any) -> None:
    """Store all columns of a worker, whether it was known or not."""
    mine = pt.workers.c.id == worker_id
    if tx.connection.execute(update(pt.workers).where(mine).values(**values)).rowcount != 1:
        tx.connection.execute(insert(pt.workers).values(id=worker_id, **values))


def change_worker(tx: Transaction, worker_id: str, platform_id: str, **values: Any) -> None:
    """Change columns of a worker while it is connected to this platform."""
    c = pt.workers.c
    mine = (c.id == worker_id, c.platform_id == platform_id)
    tx.connection.execute(update(pt.workers).where(*mine).values(**values))


def known_workers(
    connection: Connection, at: int, visible: frozenset[str] | None
) -> list[JsonObject]:
    """The workers heard of last, for people: connected ones first, with the runs they have open.

    `visible`: of these projects only.
    """
    c = pt.workers.c
    query = select(pt.workers).order_by(c.last_heartbeat_at.desc()).limit(_MOST_LISTED)
    rows, alive = list(connection.execute(query)), living(connection, at)
    found = [_shown(connection, row, visible, connected=_connected(row, alive)) for row in rows]
    return sorted(found, key=lambda worker: not worker["connected"])


def _connected(row: Row, alive: set[str]) -> bool:
    return row.disconnected_at is None and row.platform_id in alive


def _shown(
    connection: Connection, row: Row, visible: frozenset[str] | None, *, connected: bool
) -> JsonObject:
    r = t.runs.c
    mine = (t.UNDER_WAY, r.worker_id == row.id, r.platform_id.is_not(None))
    query = select(r.id).where(*mine, seen(unindexed(r.project_id), visible))
    query = query.order_by(unindexed(r.id))
    runs: list[Json] = list(connection.scalars(query.limit(_MOST_RUNS))) if connected else []
    return {
        "id": row.id,
        "name": row.name,
        "version": row.version,
        "capacity": row.capacity,
        "queues": json.loads(row.queues),
        "connected": connected,
        "active_runs": runs,
        "connected_at": iso(row.connected_at),
        "disconnected_at": iso(row.disconnected_at),
        "last_heartbeat_at": iso(row.last_heartbeat_at),
        # of the whole machine: not for those who see some projects only
        "vitals": _vitals(row) if connected and visible is None else None,
    }


def _vitals(row: Row) -> JsonObject | None:
    """What it has told of itself, and when."""
    if row.vitals is None:
        return None
    return {"at": iso(row.vitals_at), **json.loads(row.vitals)}

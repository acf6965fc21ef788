"""What people have paused: a workflow, or the whole queue. Waiting runs wait on; nothing is lost.

Runs that a worker has go on, and new ones are accepted.
"""

from __future__ import annotations

from sqlalchemy import delete, select, update

from holdfast.platform.store import process_tables as pt
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row, Transaction, insert_new

_QUEUE = "queue paused"
#: Whether the queue is paused, within a query.
PAUSED = select(pt.controls.c.name).where(pt.controls.c.name == _QUEUE).exists()


def queue_pause(connection: Connection) -> Row | None:
    """Since when (`changed_at`) the queue is paused, and by whom; None: it is not."""
    query = select(pt.controls).where(pt.controls.c.name == _QUEUE)
    return connection.execute(query).one_or_none()


def pause_queue(tx: Transaction, by: str) -> None:
    """No worker gets a run from now on."""
    values = {"name": _QUEUE, "changed_at": tx.now, "changed_by": by[:255]}
    tx.connection.execute(insert_new(tx.connection.dialect.name, pt.controls).values(values))


def resume_queue(tx: Transaction) -> None:
    tx.connection.execute(delete(pt.controls).where(pt.controls.c.name == _QUEUE))
    tx.notify("queue", "resumed")


def pause_workflow(tx: Transaction, workflow_id: str, by: str) -> None:
    """No worker gets its runs, and its cron trigger rests."""
    c = t.workflows.c
    tx.connection.execute(
        update(t.workflows)
        .where(c.id == workflow_id, c.paused_at.is_(None))
        .values(paused_at=tx.now, paused_by=by[:255])
    )


def resume_workflow(tx: Transaction, workflow_id: str) -> None:
    mine = update(t.workflows).where(t.workflows.c.id == workflow_id)
    tx.connection.execute(mine.values(paused_at=None, paused_by=None))
    tx.notify("queue", "resumed")


def paused_workflows(connection: Connection, visible: frozenset[str] | None) -> list[Row]:
    """`id`, `name`, `paused_at`, `paused_by` of those that are paused and may be seen."""
    c = t.workflows.c
    query = select(c.id, c.name, c.paused_at, c.paused_by, c.project_id)
    rows = connection.execute(query.where(c.paused_at.is_not(None), c.deleted_at.is_(None)))
    return [row for row in rows if visible is None or row.project_id in visible]

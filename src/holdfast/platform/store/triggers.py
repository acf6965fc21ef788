"""Triggers: webhooks by path, cron triggers by minute (`docs/spec/platform.md` 5.1, 5.4)."""

from __future__ import annotations

from sqlalchemy import or_, select, update

from holdfast.model.json import JsonObject
from holdfast.platform.project.rules import UUID
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row, Transaction


def find_webhook(connection: Connection, path: list[str]) -> Row | None:
    """The webhook trigger a path means (5.1): project and custom path, id, or custom path."""
    if not path:
        return None
    w, tr = t.workflows.c, t.triggers.c
    query = (
        select(t.triggers, w.project_id)
        .join(t.workflows, w.id == tr.workflow_id)
        .where(tr.type == "webhook", w.deleted_at.is_(None))
    )
    first = path[0].lower()
    tries = []
    if UUID.fullmatch(first):
        if len(path) > 1:
            tries.append(query.where(w.project_id == first, tr.custom_path == path[1]))
        tries.append(query.where(tr.id == first))
    else:
        tries.append(query.where(tr.custom_path == path[0]))
    for attempt in tries:
        found = list(connection.execute(attempt.limit(2)))
        if len(found) == 1:
            return found[0]
    return None


def webhooks_of(connection: Connection, project_id: str) -> list[JsonObject]:
    """Workflow, path and state of each webhook of a project."""
    tr, w = t.triggers.c, t.workflows.c
    rows = connection.execute(
        select(tr.id, tr.enabled, tr.webhook_reply, w.name)
        .join(t.workflows, w.id == tr.workflow_id)
        .where(tr.type == "webhook", w.project_id == project_id, w.deleted_at.is_(None))
        .order_by(w.name)
    )
    return [
        {
            "workflow": row.name,
            "path": f"/i/{row.id}",
            "enabled": row.enabled,
            "reply": row.webhook_reply or "before_start",
        }
        for row in rows
    ]


def cron_triggers(connection: Connection) -> list[Row]:
    """Id and expression of each enabled cron trigger."""
    tr = t.triggers.c
    query = select(tr.id, tr.cron_expression).where(tr.type == "cron", tr.enabled)
    return list(connection.execute(query))


def take_minute(tx: Transaction, trigger_id: str, minute: int) -> Row | None:
    """Mark a minute (microseconds) as served; the trigger, or None if it was served before."""
    c = t.triggers.c
    mine = tx.connection.execute(
        update(t.triggers)
        .where(
            c.id == trigger_id, c.enabled, or_(c.last_fired_at.is_(None), c.last_fired_at < minute)
        )
        .values(last_fired_at=minute)
    )
    if mine.rowcount != 1:
        return None
    return tx.connection.execute(select(t.triggers).where(c.id == trigger_id)).one()

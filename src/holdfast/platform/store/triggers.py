"""Triggers: webhooks by path, cron triggers by minute (`docs/spec/platform.md` 5.1, 5.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, or_, select, update

from holdfast.model.json import JsonObject
from holdfast.platform.project.rules import UUID
from holdfast.platform.store import tables as t
from holdfast.platform.store.columns import unindexed
from holdfast.platform.store.database import Connection, Row, Transaction
from holdfast.platform.store.lanes import PRIORITIES, QUEUES

#: Built once, as in `runs.py`. A path may mean several triggers: then it means none.
_WEBHOOK = (
    select(t.triggers, t.workflows.c.project_id)
    .join(t.workflows, t.workflows.c.id == t.triggers.c.workflow_id)
    .where(t.triggers.c.type == "webhook", t.workflows.c.deleted_at.is_(None))
    .limit(2)
)
_BY_ID = _WEBHOOK.where(t.triggers.c.id == bindparam("first"))
_BY_PATH = _WEBHOOK.where(t.triggers.c.custom_path == bindparam("first"))
_IN_PROJECT = _WEBHOOK.where(
    t.workflows.c.project_id == bindparam("first"),
    t.triggers.c.custom_path == bindparam("second"),
)


def find_webhook(connection: Connection, path: Sequence[str]) -> Row | None:
    """The webhook trigger a path means (5.1): project and custom path, id, or custom path."""
    if not path:
        return None
    first = path[0].lower()
    tries = []
    if UUID.fullmatch(first):
        if len(path) > 1:
            tries.append((_IN_PROJECT, {"first": first, "second": path[1]}))
        tries.append((_BY_ID, {"first": first}))
    else:
        tries.append((_BY_PATH, {"first": path[0]}))
    for query, values in tries:
        found = list(connection.execute(query, values))
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


def cron_triggers(connection: Connection, project_id: str | None = None) -> list[Row]:
    """Each enabled cron trigger, with its workflow's name and when that was paused.

    Those of paused workflows are of one project only: nothing of them is due.
    """
    tr, w = t.triggers.c, t.workflows.c
    query = (
        select(t.triggers, w.name.label("workflow_name"), w.paused_at)
        .join(t.workflows, w.id == tr.workflow_id)
        .where(tr.type == "cron", tr.enabled)
        .order_by(w.name, tr.id)
    )
    mine = w.paused_at.is_(None) if project_id is None else w.project_id == project_id
    return list(connection.execute(query.where(mine)))


def decide(tx: Transaction, trigger_id: str, before: int | None, until: int) -> Row | None:
    """All times up to `until` are decided now; None if somebody else has decided any of them.

    `before` is what `last_fired_at` was when they were looked at (microseconds).
    """
    c = t.triggers.c
    seen = c.last_fired_at.is_not_distinct_from(before)
    mine = tx.connection.execute(
        update(t.triggers).where(c.id == trigger_id, c.enabled, seen).values(last_fired_at=until)
    )
    if mine.rowcount != 1:
        return None
    query = (
        select(t.triggers, t.workflows.c.project_id)
        .join(t.workflows, t.workflows.c.id == c.workflow_id)
        .where(c.id == trigger_id)
    )
    return tx.connection.execute(query).one()


def begin_anew(tx: Transaction, trigger_id: str, values: dict[str, Any]) -> None:
    """A trigger whose times are about to change, or that is enabled, owes none of the past."""
    c = t.triggers.c
    names = ("enabled", "cron_expression", "cron_timezone")
    changed = or_(*(c[name].is_distinct_from(values[name]) for name in names))
    tx.connection.execute(
        update(t.triggers).where(c.id == trigger_id, changed).values(last_fired_at=tx.now)
    )


def has_unfinished_run(connection: Connection, trigger: Row) -> bool:
    """Whether a run that this trigger started has not ended. `trigger` has its `project_id`."""
    r = t.runs.c
    started = r.starting_trigger_id == trigger.id
    kinds = (r.queue.in_(QUEUES), r.priority.in_(PRIORITIES), r.project_id == trigger.project_id)
    going = unindexed(r.workflow_id) == trigger.workflow_id
    waits = r.workflow_id == trigger.workflow_id
    queries = (
        select(r.id).where(t.UNDER_WAY, going, started).limit(1),
        select(r.id).where(t.WAITING, *kinds, waits, started).limit(1),  # by the index of claims
    )
    return any(connection.scalar(query) is not None for query in queries)

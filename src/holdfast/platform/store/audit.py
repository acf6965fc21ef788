"""The audit log: who changed what, and who looked at which document. Rows are only ever added."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select

from holdfast.platform.access.policy import Subject
from holdfast.platform.store import access_tables as t
from holdfast.platform.store.database import Connection, Row, Transaction
from holdfast.platform.store.lists import seen

_LONGEST = 255
#: Characters of the details of one event.
_MOST_DETAILS = 4000


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which events: of these projects (None: all), this actor, before this number, so many."""

    visible: frozenset[str] | None = None
    actor: str | None = None
    before: int | None = None
    limit: int = 100


def add(
    tx: Transaction,
    subject: Subject,
    *,
    action: str,
    status: int,
    address: str,
    project_id: str | None,
    details: Mapping[str, Any],
) -> None:
    """Write one event down. `details` must have no secrets."""
    text = json.dumps(dict(details), ensure_ascii=False, default=str)
    if len(text) > _MOST_DETAILS:
        text = json.dumps({"cut": text[:_MOST_DETAILS]})
    tx.connection.execute(
        insert(t.audit_events).values(
            at=tx.now,
            actor=subject.name[:_LONGEST],
            actor_id=subject.user_id,
            kind=subject.kind.value,
            key_id=subject.key_id,
            address=address[:64],
            action=action[:_LONGEST],
            status=status,
            project_id=project_id,
            details=text,
        )
    )


def events(connection: Connection, chosen: Chosen) -> list[Row]:
    """The newest first."""
    c = t.audit_events.c
    query = select(t.audit_events)
    if chosen.visible is not None:
        query = query.where(seen(c.project_id, chosen.visible))
    if chosen.actor:
        query = query.where(c.actor == chosen.actor)
    if chosen.before is not None:
        query = query.where(c.id < chosen.before)
    return list(connection.execute(query.order_by(c.id.desc()).limit(chosen.limit)))

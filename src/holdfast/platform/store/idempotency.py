"""Requests that are sent again: one `Idempotency-Key` means one work order, for a day."""

from __future__ import annotations

import hashlib

from sqlalchemy import delete, select

from holdfast.platform.clock import SECOND
from holdfast.platform.store import access_tables as t
from holdfast.platform.store.database import Transaction, insert_new
from holdfast.platform.store.runs import Created

#: How long a key is remembered.
HOURS = 24


class TakenError(Exception):
    """Another process made a work order for the key just now: look again."""


def found(tx: Transaction, trigger_id: str, key: str) -> Created | None:
    """The work order that was made for this key of this trigger."""
    c = t.idempotency_keys.c
    tx.connection.execute(
        delete(t.idempotency_keys).where(c.inserted_at <= tx.now - HOURS * 3600 * SECOND)
    )
    row = tx.connection.execute(
        select(c.work_order_id, c.run_id).where(
            c.trigger_id == trigger_id, c.digest == _digest(key)
        )
    ).one_or_none()
    return None if row is None else Created(row.work_order_id, row.run_id)


def remember(tx: Transaction, trigger_id: str, key: str, created: Created) -> None:
    """Raises TakenError; then nothing of this transaction must stay."""
    values = {"trigger_id": trigger_id, "digest": _digest(key), "inserted_at": tx.now}
    made = {"work_order_id": created.work_order_id, "run_id": created.run_id}
    row = insert_new(tx.connection.dialect.name, t.idempotency_keys).values(**values, **made)
    mine = row.returning(t.idempotency_keys.c.digest)  # not every driver counts inserted rows
    if tx.connection.execute(mine).one_or_none() is None:
        raise TakenError


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()

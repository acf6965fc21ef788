"""Requests that are sent again: one `Idempotency-Key` means one work order, for a day."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import itemgetter
from typing import TypeAlias

from sqlalchemy import delete, select

from holdfast.platform.clock import SECOND
from holdfast.platform.store import access_tables as t
from holdfast.platform.store.database import Transaction, insert_new
from holdfast.platform.store.runs import Created

#: A trigger, and the sender's name for a request to it.
Key: TypeAlias = tuple[str, str]
#: How long a key is remembered.
HOURS = 24


class TakenError(Exception):
    """Another process made a work order for the key just now: look again."""


def found(tx: Transaction, asked: Iterable[Key]) -> dict[Key, Created]:
    """The work orders that were made for these keys before."""
    c = t.idempotency_keys.c
    tx.connection.execute(
        delete(t.idempotency_keys).where(c.inserted_at <= tx.now - HOURS * 3600 * SECOND)
    )
    known = dict[Key, Created]()
    for trigger_id, keys in groupby(sorted(set(asked)), key=itemgetter(0)):
        digests = {_digest(key): (trigger_id, key) for _, key in keys}
        query = select(c.digest, c.work_order_id, c.run_id)
        mine = query.where(c.trigger_id == trigger_id, c.digest.in_(sorted(digests)))
        for digest, *ids in tx.connection.execute(mine):
            known[digests[digest]] = Created(*ids)
    return known


def remember(tx: Transaction, made: Mapping[Key, Created]) -> None:
    """Raises TakenError; then nothing of this transaction must stay."""
    for (trigger_id, key), created in made.items():
        values = {"trigger_id": trigger_id, "digest": _digest(key), "inserted_at": tx.now}
        ids = {"work_order_id": created.work_order_id, "run_id": created.run_id}
        row = insert_new(tx.connection.dialect.name, t.idempotency_keys).values(**values, **ids)
        mine = row.returning(t.idempotency_keys.c.digest)  # not every driver counts inserted rows
        if tx.connection.execute(mine).one_or_none() is None:
            raise TakenError


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()

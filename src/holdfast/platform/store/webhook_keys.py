"""Keys of webhooks: by name in a project, their secrets encrypted."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable

from sqlalchemy import delete, insert, select, update

from holdfast.model.json import JsonObject
from holdfast.platform.access.keys import Keys
from holdfast.platform.access.problems import AccessError
from holdfast.platform.access.webhook_keys import Method
from holdfast.platform.clock import SECOND, iso
from holdfast.platform.project.access import keys_named
from holdfast.platform.store import access_tables as t
from holdfast.platform.store import tables
from holdfast.platform.store.database import Connection, Row, Transaction

#: Secrets that may still be good beside the newest one.
_MOST_OLD = 5


def kinds_of(connection: Connection, project_id: str) -> list[Row]:
    """Name, type and `window_seconds` of each key of a project, by name."""
    c = t.webhook_keys.c
    mine = select(c.name, c.type, c.window_seconds).where(c.project_id == project_id)
    return list(connection.execute(mine.order_by(c.name)))


def names_of(connection: Connection, project_id: str) -> dict[str, str]:
    """Name -> type of each key of a project."""
    return {row.name: row.type for row in kinds_of(connection, project_id)}


def declare(tx: Transaction, project_id: str, name: str, kind: str) -> bool:
    """A key without a secret, which nobody can use yet; whether it is new. Raises AccessError."""
    known = names_of(tx.connection, project_id).get(name)
    if known is not None and known != kind:
        message = f"the webhook key {name!r} is of the type {known}: remove it first"
        raise AccessError(message)
    if known is None:
        values = {"id": str(uuid.uuid4()), "project_id": project_id, "name": name, "type": kind}
        times = {"inserted_at": tx.now, "updated_at": tx.now}
        tx.connection.execute(insert(t.webhook_keys).values(**values, **times))
    return known is None


def put(
    tx: Transaction,
    keys: Keys,
    project_id: str,
    name: str,
    secret: str,
    *,
    kind: str,
    window_seconds: int | None,
    keep_old_seconds: float,
) -> None:
    """Make a key, or renew it: the secret before stays good for a while. Raises AccessError."""
    declare(tx, project_id, name, kind)
    row = _find(tx.connection, project_id, name)
    assert row is not None
    until = tx.now + int(keep_old_seconds * SECOND)
    good = _good(_secrets(keys, row), tx.now) if keep_old_seconds > 0 else []
    kept = [{"secret": item["secret"], "until": item["until"] or until} for item in good]
    sealed = keys.encrypt(json.dumps([{"secret": secret, "until": None}, *kept[:_MOST_OLD]]))
    changes = {"secrets": sealed, "window_seconds": window_seconds, "updated_at": tx.now}
    tx.connection.execute(
        update(t.webhook_keys).where(t.webhook_keys.c.id == row.id).values(**changes)
    )


def remove(tx: Transaction, project_id: str, name: str) -> None:
    """Raises AccessError while a trigger names it, and when there is none."""
    row = _find(tx.connection, project_id, name)
    if row is None:
        message = "There is no such webhook key."
        raise AccessError(message, 404)
    tr, w = tables.triggers.c, tables.workflows.c
    used = tx.connection.execute(
        select(tr.webhook_access, w.name)
        .join(tables.workflows, w.id == tr.workflow_id)
        .where(w.project_id == project_id, w.deleted_at.is_(None))
    )
    for workflow in used:
        if name in keys_named(json.loads(workflow.webhook_access or "{}")):
            message = f"The workflow {workflow.name!r} uses this key: take it from its trigger."
            raise AccessError(message, 409)
    tx.connection.execute(delete(t.webhook_keys).where(t.webhook_keys.c.id == row.id))


def listed(connection: Connection, keys: Keys, project_id: str, now: int) -> list[JsonObject]:
    """The keys of a project without their secrets."""
    c = t.webhook_keys.c
    rows = connection.execute(
        select(t.webhook_keys).where(c.project_id == project_id).order_by(c.name)
    )
    found: list[JsonObject] = []
    for row in rows:
        secrets = _good(_secrets(keys, row), now)
        ends = [item["until"] for item in secrets if isinstance(item["until"], int)]
        found.append(
            {
                "name": row.name,
                "type": row.type,
                "has_secret": bool(secrets),
                "window_seconds": row.window_seconds,
                "old_secret_until": iso(max(ends, default=None)),
                "updated_at": iso(row.updated_at),
            }
        )
    return found


def methods(
    connection: Connection, keys: Keys, project_id: str, names: Iterable[str], now: int
) -> list[Method]:
    """The ways to prove oneself to a trigger that names these keys. One that is gone is shut."""
    found = []
    for name in names:
        row = _find(connection, project_id, name)
        if row is None:
            found.append(Method("api_key", ()))
            continue
        secrets = tuple(str(item["secret"]) for item in _good(_secrets(keys, row), now))
        found.append(Method(row.type, secrets, row.window_seconds))
    return found


def _find(connection: Connection, project_id: str, name: str) -> Row | None:
    c = t.webhook_keys.c
    query = select(t.webhook_keys).where(c.project_id == project_id, c.name == name)
    return connection.execute(query).one_or_none()


def _secrets(keys: Keys, row: Row) -> list[dict[str, int | str | None]]:
    found: list[dict[str, int | str | None]] = (
        [] if row.secrets is None else json.loads(keys.decrypt(row.secrets))
    )
    return found


def _good(
    secrets: list[dict[str, int | str | None]], now: int
) -> list[dict[str, int | str | None]]:
    """Those that are good now."""
    return [item for item in secrets if not isinstance(item["until"], int) or item["until"] > now]

"""Keychains: they choose a credential by a value of the run's input (`docs/spec/platform.md` 1.1).

The value at the keychain's path is looked up among the `external_id`s of the project's
credentials; where none has it, the default is taken.
"""

from __future__ import annotations

import uuid

from sqlalchemy import delete, insert, select, update

from holdfast.model.json import parse_document
from holdfast.platform.access.problems import AccessError
from holdfast.platform.secrets.matching import value_at
from holdfast.platform.store import dataclips
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row, Transaction


def listed(connection: Connection, project_id: str) -> list[Row]:
    """The keychains of a project, by name."""
    k = t.keychains.c
    query = select(t.keychains).where(k.project_id == project_id).order_by(k.name)
    return list(connection.execute(query))


def find(connection: Connection, keychain_id: str) -> Row | None:
    query = select(t.keychains).where(t.keychains.c.id == keychain_id)
    return connection.execute(query).one_or_none()


def names_of(connection: Connection, ids: set[str]) -> dict[str, str]:
    """The names of keychains by id."""
    k = t.keychains.c
    rows = connection.execute(select(k.id, k.name).where(k.id.in_(sorted(ids))))
    return {row.id: row.name for row in rows}


def put(
    tx: Transaction, project_id: str, name: str, path: str, default_credential_id: str | None
) -> str:
    """Make a keychain, or change the one of this name; its id. Raises AccessError."""
    k, c = t.keychains.c, t.credentials.c
    if default_credential_id is not None:
        mine = (c.id == default_credential_id, c.project_id == project_id, c.deleted_at.is_(None))
        if tx.connection.scalar(select(c.id).where(*mine)) is None:
            message = "default_credential_id: this project has no such credential"
            raise AccessError(message)
    values = {"path": path, "default_credential_id": default_credential_id, "updated_at": tx.now}
    known: str | None = tx.connection.scalar(
        update(t.keychains)
        .where(k.project_id == project_id, k.name == name)
        .values(**values)
        .returning(k.id)
    )
    if known is not None:
        return known
    key = str(uuid.uuid4())
    row = {"id": key, "project_id": project_id, "name": name, "inserted_at": tx.now, **values}
    tx.connection.execute(insert(t.keychains).values(**row))
    return key


def remove(tx: Transaction, keychain_id: str) -> None:
    """Raises AccessError while a job uses it."""
    j, w = t.jobs.c, t.workflows.c
    used = list(
        tx.connection.scalars(
            select(j.name)
            .join(t.workflows, w.id == j.workflow_id)
            .where(j.keychain_credential_id == keychain_id, w.deleted_at.is_(None))
        )
    )
    if used:
        message = f"jobs use this keychain: {', '.join(used)}"
        raise AccessError(message, 409)
    tx.connection.execute(delete(t.keychains).where(t.keychains.c.id == keychain_id))


def choose(connection: Connection, run: Row, keychain_id: str) -> str | None:
    """The id of the credential that fits the run's input; None: neither match nor default."""
    row = find(connection, keychain_id)
    assert row is not None
    c = t.credentials.c
    body = dataclips.body_text(connection, run.dataclip_id)
    value = value_at(row.path, parse_document(body)) if body else None
    default: str | None = row.default_credential_id
    if value is None:
        return default
    found: str | None = connection.scalar(
        select(c.id)
        .where(c.project_id == row.project_id, c.external_id == value, c.deleted_at.is_(None))
        .order_by(c.inserted_at, c.id)
        .limit(1)
    )
    return found or default

"""Clients of OAuth 2, and whose turn it is to renew a token.

A provider may take a refresh token once only. So that several platform processes do not renew at
the same time, one of them has the turn, for a while.
"""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import delete, insert, or_, select, update

from holdfast.platform.access.keys import Keys
from holdfast.platform.access.problems import AccessError
from holdfast.platform.store import access_tables as a
from holdfast.platform.store import tables as t
from holdfast.platform.store.credentials import Place
from holdfast.platform.store.database import Connection, Row, Transaction

_c = a.oauth_clients.c


def listed(connection: Connection) -> list[Row]:
    """All clients, by name."""
    return list(connection.execute(select(a.oauth_clients).order_by(_c.name)))


def find(connection: Connection, client_id: str) -> Row | None:
    """A client by its id here."""
    query = select(a.oauth_clients).where(_c.id == client_id)
    return connection.execute(query).one_or_none()


def secret_of(keys: Keys, row: Row) -> str | None:
    """Its secret; None for a public client."""
    return None if row.secret is None else keys.decrypt(row.secret)


def put(tx: Transaction, keys: Keys, name: str, *, secret: str | None, **values: Any) -> str:
    """Make a client, or change the one of this name; its id. `secret` None: it stays."""
    values |= {"updated_at": tx.now}
    if secret is not None:
        values["secret"] = keys.encrypt(secret)
    known: str | None = tx.connection.scalar(
        update(a.oauth_clients).where(_c.name == name).values(**values).returning(_c.id)
    )
    if known is not None:
        return known
    key = str(uuid.uuid4())
    row = {"id": key, "name": name, "inserted_at": tx.now, **values}
    tx.connection.execute(insert(a.oauth_clients).values(**row))
    return key


def remove(tx: Transaction, client_id: str) -> None:
    """Raises AccessError while a credential uses it, and when there is none."""
    c = t.credentials.c
    used = list(
        tx.connection.scalars(
            select(c.name).where(c.oauth_client_id == client_id, c.deleted_at.is_(None))
        )
    )
    if used:
        message = f"credentials use this client: {', '.join(used)}"
        raise AccessError(message, 409)
    gone = delete(a.oauth_clients).where(_c.id == client_id).returning(_c.id)
    if tx.connection.scalar(gone) is None:
        message = "There is no such client."
        raise AccessError(message, 404)


def take_turn(tx: Transaction, place: Place, until: int) -> bool:
    """Whether the token at this place is ours to renew, until then (microseconds)."""
    b = t.credential_bodies.c
    free = or_(b.refresh_until.is_(None), b.refresh_until < tx.now)
    mine = update(t.credential_bodies).where(*_at(place), free).values(refresh_until=until)
    return tx.connection.scalar(mine.returning(b.credential_id)) is not None


def end_turn(tx: Transaction, place: Place) -> None:
    """Somebody else may try."""
    tx.connection.execute(
        update(t.credential_bodies).where(*_at(place)).values(refresh_until=None)
    )


def _at(place: Place) -> tuple[Any, Any]:
    b = t.credential_bodies.c
    return b.credential_id == place.credential_id, b.environment == place.environment

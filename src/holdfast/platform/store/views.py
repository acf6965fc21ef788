"""Views that people saved: a list with filters, under a name of their own."""

from __future__ import annotations

import uuid

from sqlalchemy import delete, func, insert, select, update

from holdfast.platform.store import access_tables as t
from holdfast.platform.store.database import Connection, Row, Transaction

#: Views of one person.
MOST = 50


class NameTakenError(Exception):
    """Another view of the person has this name."""


def views_of(connection: Connection, user_id: str) -> list[Row]:
    """The views of one person, by name."""
    v = t.saved_views.c
    query = select(v.id, v.name, v.path, v.query).where(v.user_id == user_id)
    return list(connection.execute(query.order_by(func.lower(v.name), v.id)))


def put_view(tx: Transaction, user_id: str, name: str, path: str, query: str) -> bool:
    """Save a view; one of the same name is replaced. False: there are too many."""
    v = t.saved_views.c
    values = {"path": path, "query": query, "updated_at": tx.now}
    same = (v.user_id == user_id, v.name == name)
    if tx.connection.execute(update(t.saved_views).where(*same).values(values)).rowcount:
        return True
    mine = select(func.count()).select_from(t.saved_views).where(v.user_id == user_id)
    if (tx.connection.scalar(mine) or 0) >= MOST:
        return False
    made = {"id": str(uuid.uuid4()), "user_id": user_id, "name": name, "inserted_at": tx.now}
    tx.connection.execute(insert(t.saved_views).values(**made, **values))
    return True


def rename_view(tx: Transaction, user_id: str, view_id: str, name: str) -> Row | None:
    """Give one of the person's views another name. None: no view. Raises NameTakenError."""
    v = t.saved_views.c
    mine = select(v.id, v.path, v.query).where(v.user_id == user_id, v.id == view_id)
    found = tx.connection.execute(mine).one_or_none()
    if found is None:
        return None
    other = select(v.id).where(v.user_id == user_id, v.name == name, v.id != view_id)
    if tx.connection.execute(other).one_or_none() is not None:
        raise NameTakenError
    values = {"name": name, "updated_at": tx.now}
    tx.connection.execute(update(t.saved_views).where(v.id == view_id).values(values))
    return found


def remove_view(tx: Transaction, user_id: str, view_id: str) -> Row | None:
    """Remove one of the person's views. None: there is none."""
    v = t.saved_views.c
    mine = (v.user_id == user_id, v.id == view_id)
    found = tx.connection.execute(select(v.path, v.query).where(*mine)).one_or_none()
    if found is not None:
        tx.connection.execute(delete(t.saved_views).where(*mine))
    return found

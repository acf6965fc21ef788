"""Accounts: who may log in, as whom, and what they are in which project."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from holdfast.model.errors import HoldfastError
from holdfast.platform.access.policy import Kind, Role, Subject
from holdfast.platform.store import access_tables as t
from holdfast.platform.store import tables as project_tables
from holdfast.platform.store.database import Connection, Row, Transaction
from holdfast.platform.store.lists import seen

#: The administrator of the first start; whoever has the admin token acts as this account.
FIRST_ACCOUNT = "00000000-0000-4000-8000-000000000001"


class AccountError(HoldfastError):
    """An account or a member cannot be made or changed so; `status` is for the reply."""

    def __init__(self, message: str, status: int = 422) -> None:
        super().__init__(message)
        self.status = status


def find_user(connection: Connection, id_or_email: str) -> Row | None:
    """By id, or by e-mail address in any case."""
    c = t.users.c
    wanted = id_or_email.strip().lower()
    query = select(t.users).where((c.id == wanted) | (c.email == wanted))
    return connection.execute(query).one_or_none()


def list_users(connection: Connection) -> list[Row]:
    """Everybody, with the number of projects and the time that they were last seen."""
    c, s, m = t.users.c, t.sessions.c, t.members.c
    seen = select(func.max(s.seen_at)).where(s.user_id == c.id).scalar_subquery()
    count = select(func.count()).where(m.user_id == c.id).scalar_subquery()
    query = select(t.users, seen.label("seen_at"), count.label("projects"))
    return list(connection.execute(query.order_by(c.name, c.id)))


def add_user(
    tx: Transaction, *, email: str, name: str, administrator: bool, password: str | None
) -> str:
    """The id of a new account. `password` is hashed already. Raises AccountError."""
    key = str(uuid.uuid4())
    values = {"email": _email(email), "name": name.strip() or email, "password": password}
    times = {"inserted_at": tx.now, "updated_at": tx.now}
    _or_taken(
        tx, insert(t.users).values(id=key, administrator=administrator, **values, **times), email
    )
    return key


def change_user(tx: Transaction, user_id: str, **values: Any) -> None:
    """Set columns of an account. The last administrator who may log in stays one.

    Raises AccountError.
    """
    if "email" in values:
        values["email"] = _email(values["email"])
    c = t.users.c
    # two platforms must not take the right of each other's administrator at once
    tx.connection.execute(select(c.id).where(c.administrator).order_by(c.id).with_for_update())
    found = update(t.users).where(c.id == user_id)
    _or_taken(tx, found.values(**values, updated_at=tx.now), str(values.get("email")))
    left = select(func.count()).where(c.administrator, c.disabled_at.is_(None))
    if not tx.connection.scalar(left.select_from(t.users)):
        message = "This is the last administrator. Make somebody else one first."
        raise AccountError(message, 409)
    if values.get("disabled_at") is not None:
        tx.connection.execute(delete(t.sessions).where(t.sessions.c.user_id == user_id))
        tx.connection.execute(delete(t.session_links).where(t.session_links.c.user_id == user_id))


def _or_taken(tx: Transaction, statement: Any, email: str) -> None:
    try:
        with tx.connection.begin_nested():
            tx.connection.execute(statement)
    except IntegrityError as error:
        message = f"Another account has the e-mail address {email}."
        raise AccountError(message, 409) from error


def _email(text: str) -> str:
    """In lower case. Raises AccountError."""
    email = text.strip().lower()
    name, at, host = email.partition("@")
    if not (name and at and host) or len(email) > 255 or any(c.isspace() for c in email):
        message = f"{text!r} is not an e-mail address."
        raise AccountError(message)
    return email


def account(connection: Connection, user_id: str, kind: Kind, key_id: str) -> Subject | None:
    """Somebody who may come in, as the policy knows them; None when there is no such account."""
    c, m = t.users.c, t.members.c
    row = connection.execute(
        select(t.users).where(c.id == user_id, c.disabled_at.is_(None))
    ).one_or_none()
    if row is None:
        return None
    members = connection.execute(select(m.project_id, m.role).where(m.user_id == user_id))
    roles = {project: Role(role) for project, role in members.all()}
    name = row.email or row.name
    return Subject(kind, name, user_id, row.administrator, roles, key_id=key_id)


def members_of(connection: Connection, project_id: str) -> list[Row]:
    """`user_id`, `name`, `email`, `role` of each member, owners first."""
    m, u = t.members.c, t.users.c
    rows = connection.execute(
        select(m.user_id, m.role, m.inserted_at, u.name, u.email, u.disabled_at)
        .join(t.users, u.id == m.user_id)
        .where(m.project_id == project_id)
    )
    order = list(Role)
    return sorted(rows, key=lambda row: (-order.index(Role(row.role)), row.name, row.user_id))


def role_of(connection: Connection, project_id: str, user_id: str) -> Role | None:
    m = t.members.c
    query = select(m.role).where(m.project_id == project_id, m.user_id == user_id)
    found = connection.scalar(query)
    return None if found is None else Role(found)


def put_member(tx: Transaction, project_id: str, user_id: str, role: Role) -> None:
    """Make somebody a member with this role. A new owner makes the old one an admin.

    Raises AccountError.
    """
    m = t.members.c
    _hold(tx, project_id)
    had = role_of(tx.connection, project_id, user_id)
    if had is Role.OWNER and role is not Role.OWNER:
        message = "A project has one owner. Make somebody else the owner."
        raise AccountError(message, 409)
    if role is Role.OWNER:
        tx.connection.execute(
            update(t.members)
            .where(m.project_id == project_id, m.role == Role.OWNER.value, m.user_id != user_id)
            .values(role=Role.ADMIN.value)
        )
    if had is None:
        values = {"project_id": project_id, "user_id": user_id, "inserted_at": tx.now}
        tx.connection.execute(insert(t.members).values(**values, role=role.value))
    else:
        mine = update(t.members).where(m.project_id == project_id, m.user_id == user_id)
        tx.connection.execute(mine.values(role=role.value))


def _hold(tx: Transaction, project_id: str) -> None:
    """One platform at a time changes the members of a project: it has one owner."""
    p = project_tables.projects.c
    tx.connection.execute(select(p.id).where(p.id == project_id).with_for_update())


def remove_member(tx: Transaction, project_id: str, user_id: str) -> None:
    """Raises AccountError for the owner, and for who is no member."""
    _hold(tx, project_id)
    had = role_of(tx.connection, project_id, user_id)
    if had is None:
        message = "There is no such member."
        raise AccountError(message, 404)
    if had is Role.OWNER:
        message = "A project has one owner. Make somebody else the owner first."
        raise AccountError(message, 409)
    m = t.members.c
    tx.connection.execute(
        delete(t.members).where(m.project_id == project_id, m.user_id == user_id)
    )


def projects(connection: Connection, visible: frozenset[str] | None = None) -> list[Row]:
    """Id and name of each project that may be seen."""
    p = project_tables.projects.c
    query = select(p.id, p.name).where(seen(p.id, visible)).order_by(p.name)
    return list(connection.execute(query))

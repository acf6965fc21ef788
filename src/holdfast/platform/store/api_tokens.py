"""Tokens for programs: of an account, or of a project with a role of their own.

Only digests are stored. A token is a random number of 256 bits: its plain SHA-256 tells nothing.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Iterable

from sqlalchemy import ColumnElement, insert, or_, select, update

from holdfast.platform.access.policy import Kind, Role, Scope, Subject
from holdfast.platform.clock import SECOND
from holdfast.platform.store import access_tables as t
from holdfast.platform.store.accounts import account
from holdfast.platform.store.database import Connection, Row, Transaction

#: What a token of ours begins with, so that people and scanners recognise it.
PREFIX = "hf_"
_BYTES = 32
#: Its last use is written down this often at most.
USE_SECONDS = 60


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def add_token(
    tx: Transaction,
    *,
    name: str,
    scopes: Iterable[Scope],
    created_by: str,
    user_id: str | None = None,
    project_id: str | None = None,
    role: Role | None = None,
    expires_at: int | None = None,
) -> tuple[str, str]:
    """A new token: its id and the token itself, which nobody can see again.

    With `user_id` it acts as that account, in one project only with `project_id`. Without, it
    belongs to the project, with `role`.
    """
    token, key = PREFIX + secrets.token_urlsafe(_BYTES), str(uuid.uuid4())
    tx.connection.execute(
        insert(t.api_tokens).values(
            id=key,
            digest=digest_of(token),
            name=name,
            user_id=user_id,
            project_id=project_id,
            role=None if role is None else role.value,
            scopes=" ".join(sorted(scope.value for scope in scopes)),
            created_by=created_by,
            inserted_at=tx.now,
            expires_at=expires_at,
        )
    )
    return key, token


def find_token(connection: Connection, key: str) -> Row | None:
    query = select(t.api_tokens).where(t.api_tokens.c.id == key)
    return connection.execute(query).one_or_none()


def tokens_of(
    connection: Connection, *, user_id: str | None = None, project_id: str | None = None
) -> list[Row]:
    """The tokens of an account, or those that belong to a project; newest first."""
    c = t.api_tokens.c
    mine = c.user_id == user_id if user_id else (c.project_id == project_id) & c.user_id.is_(None)
    query = select(t.api_tokens).where(mine).order_by(c.inserted_at.desc(), c.id)
    return list(connection.execute(query))


def revoke(tx: Transaction, key: str) -> None:
    c = t.api_tokens.c
    mine = update(t.api_tokens).where(c.id == key, c.revoked_at.is_(None))
    tx.connection.execute(mine.values(revoked_at=tx.now))


def subject_of(connection: Connection, token: str, now: int) -> tuple[Subject, bool] | None:
    """Who comes with this token, and whether its use must be written down; None: nobody."""
    row = _good(connection, t.api_tokens.c.digest == digest_of(token), now)
    subject = None if row is None else _subject(connection, row)
    if row is None or subject is None:
        return None
    return subject, row.used_at is None or row.used_at < now - USE_SECONDS * SECOND


def subject_of_key(connection: Connection, key: str, now: int) -> Subject | None:
    """Who has the token with this id; None: it is good no more."""
    row = _good(connection, t.api_tokens.c.id == key, now)
    return None if row is None else _subject(connection, row)


def _good(connection: Connection, mine: ColumnElement[bool], now: int) -> Row | None:
    c = t.api_tokens.c
    in_time = or_(c.expires_at.is_(None), c.expires_at > now)
    query = select(t.api_tokens).where(mine, c.revoked_at.is_(None), in_time)
    return connection.execute(query).one_or_none()


def _subject(connection: Connection, row: Row) -> Subject | None:
    scopes = frozenset(Scope(word) for word in row.scopes.split())
    if row.user_id is None:
        roles = {row.project_id: Role(row.role)}
        return Subject(Kind.TOKEN, row.name, None, roles=roles, scopes=scopes, key_id=row.id)
    found = account(connection, row.user_id, Kind.TOKEN, row.id)
    if found is None:
        return None
    roles, administrator = dict(found.roles), found.administrator
    if row.project_id is not None:
        role = found.role_in(row.project_id)
        roles, administrator = {row.project_id: role} if role else {}, False
    name = f"{found.name} ({row.name})"
    narrow = row.project_id is not None
    user = row.user_id
    return Subject(Kind.TOKEN, name, user, administrator, roles, scopes, row.id, narrow)


def used(tx: Transaction, key: str) -> None:
    """The token was used just now."""
    tx.connection.execute(
        update(t.api_tokens).where(t.api_tokens.c.id == key).values(used_at=tx.now)
    )

"""Sessions of people at a browser, and the one-time links that open one.

Only digests are stored: whoever reads the database cannot use what is in it to log in. Times are
microseconds.
"""

from __future__ import annotations

import uuid

from sqlalchemy import delete, insert, select, update

from holdfast.platform.access.policy import Kind, Subject
from holdfast.platform.clock import SECOND
from holdfast.platform.store import access_tables as t
from holdfast.platform.store.accounts import account
from holdfast.platform.store.database import Connection, Row, Transaction

#: One of each is enough for a person; more come from a program that asks without end.
MOST_LINKS = 1000
#: That a session was seen is written down this often at most.
SEEN_SECONDS = 60


def add_link(tx: Transaction, digest: str, user_id: str, expires_at: int) -> None:
    """Keep a link until it is used or too old. The oldest go when there are too many."""
    s = t.session_links.c
    tx.connection.execute(delete(t.session_links).where(s.expires_at <= tx.now))
    kept = select(s.digest).order_by(s.expires_at.desc()).limit(MOST_LINKS - 1)
    tx.connection.execute(delete(t.session_links).where(s.digest.not_in(kept)))
    values = {"digest": digest, "user_id": user_id, "expires_at": expires_at}
    tx.connection.execute(insert(t.session_links).values(**values))


def take_link(tx: Transaction, digest: str) -> str | None:
    """Use a link up: whose it is; None when it was not good any more."""
    s = t.session_links.c
    found = tx.connection.execute(
        delete(t.session_links)
        .where(s.digest == digest, s.expires_at > tx.now)
        .returning(s.user_id)
    ).one_or_none()
    return None if found is None else str(found.user_id)


def add(
    tx: Transaction, digest: str, user_id: str, expires_at: int, *, agent: str, address: str
) -> None:
    """A new session; those that have expired are forgotten."""
    s = t.sessions.c
    tx.connection.execute(delete(t.sessions).where(s.expires_at <= tx.now))
    values = {"digest": digest, "id": str(uuid.uuid4()), "user_id": user_id}
    seen = {"agent": agent[:255], "address": address[:64], "seen_at": tx.now}
    times = {"inserted_at": tx.now, "expires_at": expires_at}
    tx.connection.execute(insert(t.sessions).values(**values, **seen, **times))


def subject_of(connection: Connection, digest: str, now: int) -> tuple[Subject, bool] | None:
    """Whose open session this is, and whether it must be written down that it was seen."""
    s = t.sessions.c
    query = select(s.id, s.user_id, s.seen_at).where(s.digest == digest, s.expires_at > now)
    row = connection.execute(query).one_or_none()
    found = None if row is None else account(connection, row.user_id, Kind.SESSION, row.id)
    if row is None or found is None:
        return None
    return found, row.seen_at < now - SEEN_SECONDS * SECOND


def seen(tx: Transaction, key: str) -> None:
    """The session was used just now."""
    tx.connection.execute(update(t.sessions).where(t.sessions.c.id == key).values(seen_at=tx.now))


def sessions_of(connection: Connection, user_id: str, now: int) -> list[Row]:
    """The open sessions of an account, the one that was seen last first; without digests."""
    s = t.sessions.c
    columns = [column for column in s if column.name != "digest"]
    query = select(*columns).where(s.user_id == user_id, s.expires_at > now)
    return list(connection.execute(query.order_by(s.seen_at.desc(), s.id)))


def end(tx: Transaction, user_id: str, key: str | None = None, *, but: str | None = None) -> bool:
    """End one session of an account, or all of them and its links; whether there was one."""
    s = t.sessions.c
    mine = delete(t.sessions).where(s.user_id == user_id)
    if key is not None:
        mine = mine.where(s.id == key)
    elif but is not None:
        mine = mine.where(s.id != but)
    ended = tx.connection.execute(mine)
    if key is None:
        links = t.session_links.c
        tx.connection.execute(delete(t.session_links).where(links.user_id == user_id))
    return ended.rowcount > 0

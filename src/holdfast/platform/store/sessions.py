"""Sessions of people at a browser, and the one-time links that open one.

Only digests are stored: whoever reads the database cannot use what is in it to log in. Times are
microseconds.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Transaction

#: One of each is enough for a person; more come from a program that asks without end.
MOST_LINKS = 1000


def add_link(tx: Transaction, digest: str, expires_at: int) -> None:
    """Keep a link until it is used or too old. The oldest go when there are too many."""
    s = t.session_links.c
    tx.connection.execute(delete(t.session_links).where(s.expires_at <= tx.now))
    kept = select(s.digest).order_by(s.expires_at.desc()).limit(MOST_LINKS - 1)
    tx.connection.execute(delete(t.session_links).where(s.digest.not_in(kept)))
    tx.connection.execute(insert(t.session_links).values(digest=digest, expires_at=expires_at))


def take_link(tx: Transaction, digest: str) -> bool:
    """Use a link up; whether it was still good."""
    s = t.session_links.c
    used = tx.connection.execute(
        delete(t.session_links).where(s.digest == digest, s.expires_at > tx.now)
    )
    return used.rowcount == 1


def add(tx: Transaction, digest: str, expires_at: int) -> None:
    """A new session; those that have expired are forgotten."""
    s = t.sessions.c
    tx.connection.execute(delete(t.sessions).where(s.expires_at <= tx.now))
    values = {"digest": digest, "inserted_at": tx.now, "expires_at": expires_at}
    tx.connection.execute(insert(t.sessions).values(**values))


def is_open(connection: Connection, digest: str, now: int) -> bool:
    """Whether this session exists and has not expired."""
    s = t.sessions.c
    query = select(s.digest).where(s.digest == digest, s.expires_at > now)
    return connection.scalar(query) is not None


def end(tx: Transaction, digest: str, *, everywhere: bool) -> None:
    """End this session, or all of them: links that were not used, too."""
    if everywhere:
        tx.connection.execute(delete(t.sessions))
        tx.connection.execute(delete(t.session_links))
    else:
        tx.connection.execute(delete(t.sessions).where(t.sessions.c.digest == digest))

"""Sessions: how a browser is known after a login.

A session is a random number in a cookie; the database knows its digest, whose it is and when it
ends, so that a restart needs no new login and a logout is final. The digest is made with the admin
token: with a new token, all sessions have ended.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from holdfast.platform.access.policy import Subject
from holdfast.platform.clock import SECOND, now
from holdfast.platform.store import sessions as store
from holdfast.platform.store.database import Database

#: Seconds that a link works: one that a person asked for, and one that a start has printed.
LINK_SECONDS, START_LINK_SECONDS = 600.0, 3600.0
_BYTES = 32


class Sessions:
    """Opens and checks sessions."""

    def __init__(self, database: Database, admin_token: str, seconds: float) -> None:
        self._database = database
        self._key = admin_token.encode()
        self.seconds = seconds

    def _digest(self, number: str) -> str:
        return hmac.new(self._key, number.encode("utf-8", "replace"), hashlib.sha256).hexdigest()

    async def link(self, user_id: str, seconds: float = LINK_SECONDS) -> str:
        """A number that opens one session of this account, once, within this time."""
        code = secrets.token_urlsafe(_BYTES)
        expires, digest = now() + int(seconds * SECOND), self._digest(code)
        await self._database.write(lambda tx: store.add_link(tx, digest, user_id, expires))
        return code

    async def owner_of_link(self, code: str) -> str | None:
        """Whose the link is, which is used up; None when it was used before or is too old."""
        digest = self._digest(code)
        return await self._database.write(lambda tx: store.take_link(tx, digest))

    async def open(self, user_id: str, *, agent: str, address: str) -> str:
        """A new session: the value of its cookie."""
        session = secrets.token_urlsafe(_BYTES)
        expires, digest = now() + int(self.seconds * SECOND), self._digest(session)
        await self._database.write(
            lambda tx: store.add(tx, digest, user_id, expires, agent=agent, address=address)
        )
        return session

    async def subject(self, session: str) -> Subject | None:
        """Whose open session this is."""
        if not session:
            return None
        digest = self._digest(session)
        found = await self._database.read(lambda c: store.subject_of(c, digest, now()))
        if found is None:
            return None
        subject, stale = found
        if stale:
            self._database.submit(lambda tx: store.seen(tx, subject.key_id or ""))
        return subject

"""Sessions: what lets a person's browser in after a login.

A session is a random number in a cookie; the database knows its digest and when it ends, so that
a restart needs no new login and a logout is final. The digest is made with the admin token: with
a new token, all sessions have ended. Forms carry a second number that is made from the first, and
that no other site and no other program can know.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from contextvars import ContextVar

from markupsafe import Markup

from holdfast.platform.clock import SECOND, now
from holdfast.platform.store import sessions as store
from holdfast.platform.store.database import Database

#: Name of the field with the form's number.
FORM_FIELD = "form_token"
#: Seconds that a link is good which a person asked for, and one that a start has printed.
LINK_SECONDS, START_LINK_SECONDS = 600.0, 3600.0
_BYTES = 32
#: The session of the request that is being answered; empty without one.
_current: ContextVar[str] = ContextVar("session", default="")


class Sessions:
    """Opens, checks and ends sessions."""

    def __init__(self, database: Database, admin_token: str, seconds: float) -> None:
        self._database = database
        self._key = admin_token.encode()
        self.seconds = seconds

    def _digest(self, number: str) -> str:
        return hmac.new(self._key, number.encode("utf-8", "replace"), hashlib.sha256).hexdigest()

    async def link(self, seconds: float = LINK_SECONDS) -> str:
        """A number that opens one session, once, within this time."""
        code = secrets.token_urlsafe(_BYTES)
        expires = now() + int(seconds * SECOND)
        await self._database.write(lambda tx: store.add_link(tx, self._digest(code), expires))
        return code

    async def redeem(self, code: str) -> str | None:
        """The session that a link opens; None when it was used before or is too old."""
        digest = self._digest(code)
        good = await self._database.write(lambda tx: store.take_link(tx, digest))
        return await self.open() if good else None

    async def open(self) -> str:
        """A new session: the value of its cookie."""
        session = secrets.token_urlsafe(_BYTES)
        expires = now() + int(self.seconds * SECOND)
        await self._database.write(lambda tx: store.add(tx, self._digest(session), expires))
        return session

    async def is_open(self, session: str) -> bool:
        if not session:
            return False
        digest = self._digest(session)
        return await self._database.read(lambda c: store.is_open(c, digest, now()))

    async def end(self, session: str, *, everywhere: bool = False) -> None:
        digest = self._digest(session)
        await self._database.write(lambda tx: store.end(tx, digest, everywhere=everywhere))


def form_token(session: str) -> str:
    """The number that forms of this session carry."""
    return hmac.new(session.encode(), b"form", hashlib.sha256).hexdigest()


def enter(session: str) -> None:
    """What is answered from here on is answered to this session."""
    _current.set(session)


def current() -> str:
    """The session of the request that is being answered; empty without one."""
    return _current.get()


def form_field() -> Markup:
    """The hidden field that every form of a page needs."""
    session = current()
    value = form_token(session) if session else ""
    return Markup('<input type="hidden" name="{}" value="{}">').format(FORM_FIELD, value)

"""Passwords: kept as argon2id, checked without telling which part was wrong."""

from __future__ import annotations

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from holdfast.platform.access.problems import AccessError

SHORTEST, LONGEST = 10, 1024
_hasher = PasswordHasher()
#: Checked when there is no such account, so that this takes as long. Written down: to make it
#: takes a tenth of a second at each start. It must have the hasher's parameters.
_NOBODY = (
    "$argon2id$v=19$m=65536,t=3,p=4$PwtEfoHiXP2a8kLjzO7pMw"
    "$OFprJJlQiLva416R1RrS+weeZHCXIEvKIN7HMCWmpKQ"
)


class Passwords:
    """Hashes and checks beside the event loop, two at a time: each takes 64 MB."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(2)

    async def hash(self, password: str) -> str:
        """What is kept of a new password. Raises AccessError when it is too short or too long."""
        if not SHORTEST <= len(password) <= LONGEST:
            message = f"A password has from {SHORTEST} to {LONGEST} characters."
            raise AccessError(message)
        async with self._places:
            return await asyncio.to_thread(_hasher.hash, password)

    async def is_right(self, kept: str | None, password: str) -> bool:
        """Whether this is the password; `kept` None: there is none, or no account."""
        if len(password) > LONGEST:
            return False
        async with self._places:
            right = await asyncio.to_thread(_verify, kept or _NOBODY, password)
        return right and kept is not None


def _verify(kept: str, password: str) -> bool:
    try:
        return _hasher.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False

"""Passwords."""

from __future__ import annotations

from argon2 import PasswordHasher

from holdfast.platform.access import passwords


async def test_a_password_is_right_or_wrong_and_nobody_has_none() -> None:
    kept = await passwords.Passwords().hash("a long password")
    assert await passwords.Passwords().is_right(kept, "a long password")
    assert not await passwords.Passwords().is_right(kept, "another password")
    assert not await passwords.Passwords().is_right(None, "nobody has this password")


def test_a_check_for_nobody_takes_as_long_as_one_for_somebody() -> None:
    assert not PasswordHasher().check_needs_rehash(passwords._NOBODY)

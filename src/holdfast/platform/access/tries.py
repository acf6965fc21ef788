"""Tries to prove who one is: by a password, the admin token, a link. Wrong ones are limited.

A try is counted before it is looked at, so many at the same time are no more than one after the
other, and is given back when it was right.
"""

from __future__ import annotations

import time

from holdfast.platform.access import visit
from holdfast.platform.access.address import counted_as
from holdfast.platform.access.rates import Limiter
from holdfast.platform.service import Platform


def begin(platform: Platform, name: str) -> int:
    """Count a try for the account of this name by this visitor: 0.

    Or, without counting, the seconds until there may be one.
    """
    now, buckets = time.monotonic(), _buckets(platform, name)
    wait = max(limiter.wait(key, now) for limiter, key in buckets)
    if not wait:
        for limiter, key in buckets:
            limiter.take(key, now)
    return wait


def was_right(platform: Platform, name: str) -> None:
    """The try that was begun does not count."""
    now = time.monotonic()
    for limiter, key in _buckets(platform, name):
        limiter.give(key, now)


def _buckets(platform: Platform, name: str) -> tuple[tuple[Limiter, str], ...]:
    rates, address = platform.rates, counted_as(visit.current().address)
    return (rates.logins, f"{name} {address}"), (rates.addresses, address)

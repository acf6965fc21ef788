"""How often somebody may ask: buckets that fill with time.

A bucket holds `burst` tokens and gets `each_second` new ones; a request takes one. Of all buckets
the `MOST` that were used last are kept.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

from holdfast.platform.settings import Settings

#: Buckets that are kept; the one that was used longest ago goes first.
MOST = 10_000
#: Requests at once that a share of a limit leaves.
_LEAST = 3


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests each second in the long run, and at once after a pause."""

    each_second: float
    burst: int

    def share(self, parts: int) -> Rate:
        """What each of so many may let through. Everybody may err a few times at once."""
        least = min(self.burst, _LEAST)
        return Rate(self.each_second / parts, max(least, math.ceil(self.burst / parts)))


class Limiter:
    """The buckets of one kind of request, by whom they belong to."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        #: Key -> tokens and the time they were counted at, seconds.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, now: float) -> int:
        """Take one token: 0; or, without taking, the seconds after which there is one."""
        tokens = self._tokens(key, now)
        if tokens < 1:
            self._buckets[key] = (tokens, now)
            return max(1, math.ceil((1 - tokens) / self.rate.each_second))
        self._buckets[key] = (tokens - 1, now)
        self._buckets.move_to_end(key)
        while len(self._buckets) > MOST:
            self._buckets.popitem(last=False)
        return 0

    def give(self, key: str, now: float) -> None:
        """Give back a token that was taken."""
        self._buckets[key] = (min(float(self.rate.burst), self._tokens(key, now) + 1), now)

    def wait(self, key: str, now: float) -> int:
        """The seconds after which there is a token, without taking it."""
        tokens = self._tokens(key, now)
        return 0 if tokens >= 1 else max(1, math.ceil((1 - tokens) / self.rate.each_second))

    def _tokens(self, key: str, now: float) -> float:
        tokens, at = self._buckets.get(key, (float(self.rate.burst), now))
        return min(float(self.rate.burst), tokens + max(0.0, now - at) * self.rate.each_second)


@dataclass(frozen=True, slots=True)
class Rates:
    """All limits of a platform."""

    #: By trigger.
    webhooks: Limiter
    #: Wrong keys, by trigger and address.
    guesses: Limiter
    #: By session, token or address.
    requests: Limiter
    #: Wrong passwords, tokens and links: by account, and by address.
    logins: Limiter
    addresses: Limiter

    @classmethod
    def of(cls, settings: Settings) -> Rates:
        """A burst is ten seconds' worth.

        Who guesses can choose among several processes by a new connection, so each of them lets
        its share through.
        """
        parts = settings.parts
        hook, request = settings.webhooks_per_second, settings.requests_per_second
        return cls(
            webhooks=Limiter(Rate(hook, max(1, int(10 * hook)))),
            guesses=Limiter(Rate(0.1, 20).share(parts)),
            requests=Limiter(Rate(request, max(1, int(10 * request)))),
            logins=Limiter(Rate(1 / 30, 10).share(parts)),
            addresses=Limiter(Rate(0.2, 50).share(parts)),
        )

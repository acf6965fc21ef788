"""Growing, jittered delays: reconnects, rejoins, claims. Pure; chance is a parameter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """Delays in seconds that grow from `first` to `ceiling`.

    `jitter` is the part of a delay that chance may take away, so that a fleet of workers does
    not come back in step (weakness W19 of the reference).
    """

    first: float
    ceiling: float
    factor: float = 2.0
    jitter: float = 0.5
    attempts: int = 0

    def next(self, chance: Callable[[], float]) -> float:
        """The next delay; `chance` returns a number from 0 to 1."""
        exponent = min(self.attempts, 64)
        self.attempts += 1
        delay = min(self.ceiling, self.first * self.factor**exponent)
        return delay * (1 - self.jitter * chance())

    def reset(self) -> None:
        """Something went well: begin again with the first delay."""
        self.attempts = 0

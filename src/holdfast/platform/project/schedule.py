"""When a cron trigger is due: its times in a zone, and what becomes of those that were missed.

An expression is read as Debian's cron reads it. Where clocks change, a time of day that is skipped
is due as soon as clocks go on, and one that comes twice is due the first time; what is due every
so many minutes or every hour (a star in the minute or the hour) goes by real time. Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import takewhile
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

#: How far back a time may lie that is caught up, and how many are, the newest.
FURTHEST, MOST = timedelta(days=31), 1000


class Overlap(StrEnum):
    """What happens when a trigger is due while a run of it has not ended."""

    #: It starts beside.
    ALL = "all"
    #: It is left out.
    SKIP = "skip"
    #: It waits in the queue until the others have ended.
    QUEUE = "queue"


class CatchUp(StrEnum):
    """What happens to times that came while no platform worked, or the workflow was paused."""

    NONE = "none"
    #: One run for all of them.
    ONE = "one"
    #: Each gets its run.
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A cron expression in a time zone."""

    expression: str
    timezone: str = "UTC"

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Its times after a moment, in UTC, each once. Raises CronSimError."""
        last = moment
        zone = UTC if self.timezone == "UTC" else _zone(self.timezone)
        for found in CronSim(self.expression, moment.astimezone(zone)):
            # several local times may be skipped to the same one, or lie in the hour that is over
            if (time := found.astimezone(UTC)) > last:
                yield (last := time)

    def between(self, after: datetime, until: datetime) -> list[datetime]:
        """Its times after one moment and up to another, the newest `MOST` at most.

        Raises CronSimError.
        """
        times = self.after(max(after, until - FURTHEST))
        return list(deque(takewhile(lambda time: time <= until, times), maxlen=MOST))


def to_start(due: list[datetime], since: datetime, rule: CatchUp) -> list[datetime]:
    """Which of the times that are due get a run; those before `since` were missed.

    One run stands for all that were missed, and for those that were not.
    """
    if rule is CatchUp.ALL:
        return due
    return due[-1:] if rule is CatchUp.ONE else [time for time in due if time >= since]


def _zone(name: str) -> ZoneInfo:
    """Raises CronSimError."""
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:
        message = f"there is no time zone {name!r:.80}"
        raise CronSimError(message) from error


def expression_problem(expression: str) -> str | None:
    """What is wrong with a cron expression, in words."""
    if len(expression.split()) != 5:
        return "it needs five fields: minute, hour, day of the month, month, day of the week"
    try:
        next(Schedule(expression).after(datetime.now(UTC)))
    except CronSimError as error:
        return str(error).lower()
    except StopIteration:
        return "it never comes to pass"
    return None


def timezone_problem(name: str) -> str | None:
    """What is wrong with the name of a time zone, in words."""
    if name in _zones():
        return None
    return f"there is no time zone {name!r}; write it like Africa/Nairobi, or UTC"


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())

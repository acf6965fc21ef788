"""How a workflow is: this week beside the week before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from holdfast.platform.clock import SECOND
from holdfast.platform.store.database import Connection
from holdfast.platform.store.health import Span, of_workflow

_WEEK = 7 * 24 * 3600 * SECOND
#: Work orders, and runs, of a week that are looked at: the newest.
MOST = 1000
_OPEN = frozenset({"pending", "running"})


@dataclass(frozen=True, slots=True)
class Week:
    """`success`: the share of the work orders that have ended; None: none has.

    Half of the runs, and 95 of 100, took no more than so many microseconds and bytes.
    """

    orders: int
    more: bool
    success: float | None
    half: int | None
    most: int | None
    memory: int | None


def week(span: Span) -> Week:
    """What the page says of one week. Pure."""
    ended = [state for state in span.orders if state not in _OPEN]
    good = sum(state == "success" for state in ended)
    half, most = (_within(span.durations, share) for share in (50, 95))
    return Week(
        len(span.orders),
        span.more,
        good / len(ended) if ended else None,
        None if half is None else half * 1000,
        None if most is None else most * 1000,
        _within(span.memory, 95),
    )


def weeks(connection: Connection, workflow_id: str, until: int) -> tuple[Week, Week] | None:
    """This week and the week before it; None: nothing was made in either."""
    spans = [
        of_workflow(connection, workflow_id, until - _WEEK * n, until - _WEEK * (n - 1), MOST)
        for n in (1, 2)
    ]
    return (week(spans[0]), week(spans[1])) if any(span.orders for span in spans) else None


def _within(values: Sequence[int], percent: int) -> int | None:
    """The least value that so many of 100 do not exceed."""
    if not values:
        return None
    rank = -(-Fraction(percent, 100) * len(values) // 1)
    return sorted(values)[int(rank) - 1]

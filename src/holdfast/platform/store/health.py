"""How the work orders and runs of a workflow went, in a span of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection


@dataclass(frozen=True, slots=True)
class Span:
    """States of work orders, milliseconds and bytes of runs: the newest ones, `most` of each.

    `more`: there may be more of either.
    """

    orders: Sequence[str] = ()
    durations: Sequence[int] = ()
    memory: Sequence[int] = ()
    more: bool = False


def of_workflow(
    connection: Connection, workflow_id: str, since: int, until: int, most: int
) -> Span:
    """What was made from `since` up to before `until`, in microseconds."""
    o, r = t.work_orders.c, t.runs.c
    orders = connection.scalars(
        select(o.state)
        .where(o.workflow_id == workflow_id, o.inserted_at >= since, o.inserted_at < until)
        .order_by(o.inserted_at.desc())
        .limit(most)
    ).all()
    runs = connection.execute(
        select(r.duration_ms, r.peak_memory)
        .where(r.workflow_id == workflow_id, r.inserted_at >= since, r.inserted_at < until)
        .order_by(r.inserted_at.desc())
        .limit(most)
    ).all()
    return Span(
        orders,
        [row.duration_ms for row in runs if row.duration_ms is not None],
        [row.peak_memory for row in runs if row.peak_memory],
        most in (len(orders), len(runs)),
    )

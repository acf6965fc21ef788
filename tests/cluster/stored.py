"""What the database has when the storm is over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import create_engine, func, select

from cluster.checks import Stored
from cluster.scene import CRON
from holdfast.model.outcome import RunState
from holdfast.platform.clock import SECOND
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def at_rest(url: str) -> bool:
    """Whether all runs have ended, and none is called lost, whose worker may still tell."""
    ended = [state.value for state in RunState if state.final and state is not RunState.LOST]
    query = select(func.count()).where(t.runs.c.state.not_in(ended))
    with _connected(url) as connection:
        return connection.scalar(query) == 0


def read(url: str) -> tuple[list[Stored], list[int]]:
    """All runs, and the Unix minutes for which the cron trigger made work orders."""
    w, b = t.work_orders.c, t.dataclip_bodies.c
    bodies = t.runs.outerjoin(t.dataclip_bodies, b.dataclip_id == t.runs.c.dataclip_id)
    with _connected(url) as connection:
        steps, lines = _steps(connection), _lines(connection)
        rows = connection.execute(select(t.runs, b.body).select_from(bodies))
        runs = [_run(row, steps.get(row.id, 0), tuple(lines.get(row.id, ()))) for row in rows]
        times = connection.scalars(select(w.scheduled_at).where(w.trigger_id == CRON))
        return runs, sorted(time // SECOND // 60 for time in times)


def _steps(connection: Connection) -> dict[str, int]:
    c = t.run_steps.c
    query = select(c.run_id, func.count()).group_by(c.run_id)
    return dict(connection.execute(query).tuples().all())


def _lines(connection: Connection) -> dict[str, list[str]]:
    """What jobs logged, by run."""
    found: dict[str, list[str]] = {}
    c = t.log_lines.c
    query = select(c.run_id, c.message).where(c.source == "JOB")
    for run_id, message in connection.execute(query):
        found.setdefault(run_id, []).append(message)
    return found


def _run(row: Row, steps: int, lines: tuple[str, ...]) -> Stored:
    return Stored(
        id=row.id,
        work_order=row.work_order_id,
        state=row.state,
        worker=row.worker_name,
        claimed=(row.claimed_at or 0) / SECOND,
        finished=(row.finished_at or 0) / SECOND,
        number=None if row.starting_trigger_id == CRON else json.loads(row.body)["n"],
        steps=steps,
        lines=lines,
    )

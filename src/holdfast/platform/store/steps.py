"""Steps of runs (`docs/spec/platform.md` 4.4)."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update

from holdfast.model.outcome import RunState
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row, Transaction

#: More is no measure of memory.
_MOST_BYTES = 2**62
#: Built once, as in `runs.py`.
_FIND = (
    select(t.steps)
    .join(t.run_steps, t.run_steps.c.step_id == t.steps.c.id)
    .where(t.steps.c.id == bindparam("of_step"), t.run_steps.c.run_id == bindparam("of_run"))
)
_ADD, _LINK = insert(t.steps), insert(t.run_steps)
_SET = update(t.steps).where(t.steps.c.id == bindparam("of_step"))
_MEMORY = (
    select(t.steps.c.mem)
    .join(t.run_steps, t.run_steps.c.step_id == t.steps.c.id)
    .where(t.run_steps.c.run_id == bindparam("of_run"))
)
_COUNT = select(func.count()).where(t.run_steps.c.run_id == bindparam("of_run"))


def find_step(connection: Connection, run_id: str, step_id: str) -> Row | None:
    """The step if it is one of this run's."""
    return connection.execute(_FIND, {"of_step": step_id, "of_run": run_id}).one_or_none()


def open_step(connection: Connection, run_id: str, job_id: str) -> str | None:
    """The one open step of a job: what a completion without step id is about (kit#1072)."""
    found = list(
        connection.scalars(
            select(t.steps.c.id)
            .join(t.run_steps, t.run_steps.c.step_id == t.steps.c.id)
            .where(
                t.run_steps.c.run_id == run_id,
                t.steps.c.job_id == job_id,
                t.steps.c.exit_reason.is_(None),
            )
        )
    )
    return found[0] if len(found) == 1 else None


def add_step(tx: Transaction, run: Row, step_id: str, job_id: str, **values: Any) -> None:
    given = {"id": step_id, "job_id": job_id, "snapshot_id": run.snapshot_id, **values}
    tx.connection.execute(_ADD, given)
    tx.connection.execute(_LINK, {"run_id": run.id, "step_id": step_id})
    tx.notify(f"run:{run.id}", "step", step_id=step_id)


def close_step(tx: Transaction, run_id: str, step_id: str, **values: Any) -> None:
    tx.connection.execute(_SET, {"of_step": step_id, **values})
    tx.notify(f"run:{run_id}", "step", step_id=step_id)


def steps_of(connection: Connection, run_id: str, limit: int | None = None) -> list[Row]:
    """Steps in the order in which they started."""
    return list(
        connection.execute(
            select(t.steps)
            .join(t.run_steps, t.run_steps.c.step_id == t.steps.c.id)
            .where(t.run_steps.c.run_id == run_id)
            .order_by(t.steps.c.started_at, t.steps.c.id)
            .limit(limit)
        )
    )


def count_steps(connection: Connection, run_id: str) -> int:
    return connection.scalar(_COUNT, {"of_run": run_id}) or 0


def peak_memory(connection: Connection, run_id: str) -> int | None:
    """The most memory that a job of the run has had, bytes; None: no worker told."""
    told = connection.scalars(_MEMORY, {"of_run": run_id})
    known = [_memory(text) for text in told if text is not None]
    return max(known, default=0) or None


def _memory(text: str) -> int:
    """Of a job, in what its worker told; what is no number counts as none."""
    told = json.loads(text)
    value = told.get("job") if isinstance(told, dict) else None
    return int(value) if isinstance(value, int | float) and 0 < value < _MOST_BYTES else 0


def left_over(connection: Connection, ended_before: int, most: int = 500) -> list[Row]:
    """`id` and `run_id` of steps that never ended although their run did (lightning#2416)."""
    r, s, rs = t.runs.c, t.steps.c, t.run_steps.c
    mine = select(rs.run_id).where(rs.step_id == s.id)
    ended = mine.join(t.runs, r.id == rs.run_id).where(r.finished_at < ended_before)
    query = select(s.id, mine.limit(1).scalar_subquery().label("run_id")).where(
        # begins at the index of open steps, which are few
        s.exit_reason.is_(None),
        ended.exists(),
    )
    return list(connection.execute(query.limit(most)))


def close_left_over(tx: Transaction, found: list[Row]) -> None:
    """Close steps that `left_over` has found, unless their end has come since."""
    s = t.steps.c
    tx.connection.execute(
        update(t.steps)
        .where(s.id.in_([row.id for row in found]), s.exit_reason.is_(None))
        .values(exit_reason=RunState.LOST.value, finished_at=tx.now)
    )
    for row in found:
        tx.notify(f"run:{row.run_id}", "step", step_id=row.id)


def carry_over(tx: Transaction, step_ids: list[str], run_id: str) -> None:
    """Let steps that have ended belong to a further run, which does not execute them again."""
    for step_id in step_ids:
        tx.connection.execute(_LINK, {"run_id": run_id, "step_id": step_id})


def endings_of(connection: Connection, run_ids: list[str], most: int) -> list[Row]:
    """`run_id`, `job_id` and `exit_reason` of the last steps of these runs, in the order of their
    beginning."""
    rs, s = t.run_steps.c, t.steps.c
    query = (
        select(rs.run_id, s.job_id, s.exit_reason)
        .join(t.steps, s.id == rs.step_id)
        .where(rs.run_id.in_(run_ids))
        .order_by(s.started_at.desc(), s.id.desc())
    )
    return [*reversed(connection.execute(query.limit(most)).all())]


def failures_of(connection: Connection, run_ids: list[str]) -> dict[str, int]:
    """How many steps of each of these runs have ended without success; runs without one are
    left out."""
    rs, s = t.run_steps.c, t.steps.c
    rows = connection.execute(
        select(rs.run_id, func.count().label("n"))
        .join(t.steps, s.id == rs.step_id)
        .where(rs.run_id.in_(run_ids), s.exit_reason.is_not(None), s.exit_reason != "success")
        .group_by(rs.run_id)
    )
    return {row.run_id: row.n for row in rows}

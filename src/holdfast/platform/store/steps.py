"""Steps of runs, and the log (`docs/spec/platform.md` 4.4, 4.5)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, select, update

from holdfast.model.json import Json
from holdfast.model.outcome import RunState
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row, Transaction, insert_new
from holdfast.protocol.messages import LogLine

#: What PostgreSQL text cannot hold, and terminals should not get.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def find_step(connection: Connection, run_id: str, step_id: str) -> Row | None:
    """The step if it is one of this run's."""
    return connection.execute(
        select(t.steps)
        .join(t.run_steps, t.run_steps.c.step_id == t.steps.c.id)
        .where(t.steps.c.id == step_id, t.run_steps.c.run_id == run_id)
    ).one_or_none()


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
    tx.connection.execute(
        insert(t.steps).values(id=step_id, job_id=job_id, snapshot_id=run.snapshot_id, **values)
    )
    tx.connection.execute(insert(t.run_steps).values(run_id=run.id, step_id=step_id))
    tx.notify(f"run:{run.id}", "step", step_id=step_id)


def close_step(tx: Transaction, run_id: str, step_id: str, **values: Any) -> None:
    tx.connection.execute(update(t.steps).where(t.steps.c.id == step_id).values(**values))
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
    query = select(func.count()).where(t.run_steps.c.run_id == run_id)
    return connection.scalar(query) or 0


def close_left_over_steps(tx: Transaction, grace: int) -> int:
    """Steps that never ended although their run did (lightning#2416)."""
    r, s, rs = t.runs.c, t.steps.c, t.run_steps.c
    open_steps = list(
        tx.connection.execute(
            select(s.id, rs.run_id)
            .join(t.run_steps, rs.step_id == s.id)
            .join(t.runs, r.id == rs.run_id)
            .where(s.exit_reason.is_(None), r.finished_at < tx.now - grace)
            .limit(500)
        )
    )
    for row in open_steps:
        tx.connection.execute(
            update(t.steps)
            .where(s.id == row.id, s.exit_reason.is_(None))
            .values(exit_reason=RunState.LOST.value, finished_at=tx.now)
        )
        tx.notify(f"run:{row.run_id}", "step", step_id=row.id)
    return len(open_steps)


def carry_over(tx: Transaction, step_ids: list[str], run_id: str) -> None:
    """Let steps that have ended belong to a further run, which does not execute them again."""
    for step_id in step_ids:
        tx.connection.execute(insert(t.run_steps).values(run_id=run_id, step_id=step_id))


def plain(text: str) -> str:
    """Text without what PostgreSQL cannot hold."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def message_text(message: Json) -> str:
    """A log message as one text: list elements joined by one space (1.5)."""
    parts = message if isinstance(message, list) else [message]
    text = " ".join(
        part
        if isinstance(part, str)
        else json.dumps(part, ensure_ascii=False, separators=(",", ":"))
        for part in parts
    )
    return plain(text)


def add_log_lines(tx: Transaction, run_id: str, lines: list[tuple[LogLine, str]]) -> int:
    """Store lines with their scrubbed texts; a line sent again (same id) is stored once.

    Returns the number of the last line. A step that the run does not have is left out (4.5).
    """
    known = set(
        tx.connection.scalars(select(t.run_steps.c.step_id).where(t.run_steps.c.run_id == run_id))
    )
    rows = [
        {
            "run_id": run_id,
            "line_id": line.id,
            "step_id": line.step_id if line.step_id in known else None,
            "timestamp": int(line.timestamp),
            "level": line.level,
            "source": line.source,
            "message": text,
        }
        for line, text in lines
    ]
    if rows:
        tx.connection.execute(insert_new(tx.connection, t.log_lines), rows)
    newest = select(func.max(t.log_lines.c.id)).where(t.log_lines.c.run_id == run_id)
    last = tx.connection.scalar(newest) or 0
    tx.notify(f"run:{run_id}", "logs", last=last)
    return last


@dataclass(frozen=True, slots=True)
class Wanted:
    """How much of a log is wanted: lines, characters of each, and of all together."""

    lines: int
    each: int
    together: int


def log_lines(connection: Connection, run_id: str, after: int, wanted: Wanted) -> list[Row]:
    """Lines after a number, in the order in which they came; if there are any, at least one.

    `size` has the characters that a message has as a whole.
    """
    c = t.log_lines.c
    columns = (c.id, c.timestamp, c.level, c.source, c.step_id)
    message = func.substr(c.message, 1, wanted.each).label("message")
    found: list[Row] = []
    room = wanted.together
    for row in connection.execute(
        select(*columns, message, func.length(c.message).label("size"))
        .where(c.run_id == run_id, c.id > after)
        .order_by(c.id)
        .limit(wanted.lines)
    ):
        found.append(row)
        room -= len(row.message)
        if room <= 0:
            break
    return found

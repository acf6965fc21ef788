"""Parts of a run's log as its page shows them: by number, kind of line, step and text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select

from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.store.logs import Wanted

#: Lines of the jobs themselves and of their adaptors.
OWN = ("JOB", "ADA")
#: Where an error of a step stands in its job's code, as workers of every make log it.
_PLACE = re.compile(r"vm:module\(\d+\):(\d+):(\d+)")
#: Error lines of one step that are looked at, and characters of each.
_ERRORS, _EACH = 50, 2000


def _own() -> ColumnElement[bool]:
    return t.log_lines.c.source.in_(OWN)


def _kinds() -> dict[str, list[ColumnElement[bool]]]:
    level = t.log_lines.c.level
    return {
        "normal": [or_(level != "debug", _own())],
        "info": [level != "debug"],
        "warn": [level.in_(["warn", "error"])],
        "job": [_own()],
        "all": [],
    }


#: What may be asked for: `normal` is all but the engine's own details.
KINDS = ("normal", "job", "warn", "info", "all")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which lines are wanted."""

    kind: str = "normal"
    step_id: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found = list(_kinds()[self.kind])
        if self.step_id is not None:
            found.append(t.log_lines.c.step_id == self.step_id)
        return found


@dataclass(frozen=True, slots=True)
class Window:
    """Lines in order, of `total`; and whether there are chosen ones before and after them."""

    lines: list[Row]
    total: int
    earlier: bool
    later: bool


def window(
    connection: Connection,
    run_id: str,
    choice: Choice,
    wanted: Wanted,
    *,
    after: int = 0,
    before: int | None = None,
) -> Window:
    """The chosen lines after a number, or with `before` the last ones before it."""
    c = t.log_lines.c
    total = connection.scalar(select(func.max(c.number)).where(c.run_id == run_id)) or 0
    mine = [c.run_id == run_id, *choice.conditions()]
    if before is not None:
        rows = _read(connection, [*mine, c.number < before], wanted, backwards=True)[::-1]
    else:
        rows = _read(connection, [*mine, c.number > after], wanted, backwards=False)
    first, last = (rows[0].number, rows[-1].number) if rows else (after + 1, after)
    if before is not None and not rows:
        first, last = before, before - 1
    earlier, later = (
        connection.scalar(select(c.number).where(*mine, side).limit(1)) is not None
        for side in (c.number < first, c.number > last)
    )
    return Window(rows, total, earlier, later)


def numbered(connection: Connection, run_id: str, numbers: list[int], each: int) -> list[Row]:
    """The lines of these numbers, so many characters of each."""
    wanted = Wanted(len(numbers), each, each * max(1, len(numbers)))
    mine = [t.log_lines.c.run_id == run_id, t.log_lines.c.number.in_(numbers)]
    return _read(connection, mine, wanted, backwards=False) if numbers else []


def _read(
    connection: Connection, where: list[ColumnElement[bool]], wanted: Wanted, *, backwards: bool
) -> list[Row]:
    c = t.log_lines.c
    message = func.substr(c.message, 1, wanted.each).label("message")
    found: list[Row] = []
    room = wanted.together
    for row in connection.execute(
        select(c.number, c.timestamp, c.level, c.source, c.step_id, message)
        .add_columns(func.length(c.message).label("size"))
        .where(*where)
        .order_by(c.number.desc() if backwards else c.number)
        .limit(wanted.lines)
    ):
        found.append(row)
        room -= len(row.message)
        if room <= 0:
            break
    return found


def error_place(connection: Connection, run_id: str, step_id: str) -> tuple[int, int] | None:
    """Line and column of a step's error in its code, from what the worker logged of it."""
    c = t.log_lines.c
    texts = connection.scalars(
        select(func.substr(c.message, 1, _EACH))
        .where(c.run_id == run_id, c.step_id == step_id, c.level == "error")
        .order_by(c.number.desc())
        .limit(_ERRORS)
    )
    for text in texts:
        if found := _PLACE.search(text):
            return int(found[1]), int(found[2])
    return None


def first_since(connection: Connection, run_id: str, choice: Choice, at: int) -> int | None:
    """The number of the first chosen line that is not older than a moment, in microseconds.

    Lines come nearly in the order of their times, so halving the log finds the place.
    """
    c = t.log_lines.c
    mine = c.run_id == run_id
    least, most = 1, (connection.scalar(select(func.max(c.number)).where(mine)) or 0) + 1
    while least < most:
        middle = (least + most) // 2
        seen = select(c.timestamp).where(mine, c.number >= middle).order_by(c.number).limit(1)
        if (connection.scalar(seen) or at) < at:
            least = middle + 1
        else:
            most = middle
    found = select(c.number).where(mine, *choice.conditions(), c.number >= least)
    number: int | None = connection.scalar(found.order_by(c.number).limit(1))
    return number

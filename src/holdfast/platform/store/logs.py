"""The log of a run (`docs/spec/platform.md` 4.5): lines numbered from 1, in the order they came.

A number is a place in one run's log, so that any part of a long log is found by its index.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, bindparam, case, func, or_, select

from holdfast.model.json import Json
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import (
    Connection,
    Row,
    Transaction,
    is_double,
    savepoint,
)  # fmt: skip
from holdfast.platform.store.rows import add_rows
from holdfast.protocol.messages import LogLine

#: What PostgreSQL text cannot hold, and terminals should not get.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
#: The console's sequence of colour and weight (SGR, ECMA-48 8.3.117), the only one that is kept.
_COLOUR = r"\x1b\[([\d;:]{0,60})m"
_CONTROL_BUT_COLOURS = re.compile(rf"(?!{_COLOUR}){_CONTROL.pattern}")
#: The same in a stored message, with its numbers; or without them one that was cut off.
COLOURS = re.compile(rf"{_COLOUR}|\x1b(?:\[[\d;:]*)?\Z")
#: Values that one query names: databases allow some thousands.
_NAMED = 500
#: Lines that one search looks at, and characters of those with colours, which it reads.
SEARCHED, _READ = 20_000, 10_000_000
#: Lines that come from the database at a time.
_FETCHED = 100

#: Made once: `json.dumps` makes one for every call that is not plain.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
#: Built once, as in `runs.py`.
_LAST = select(func.max(t.log_lines.c.number)).where(t.log_lines.c.run_id == bindparam("of_run"))
_KNOWN = select(t.log_lines.c.line_id).where(
    t.log_lines.c.run_id == bindparam("of_run"),
    t.log_lines.c.line_id.in_(bindparam("ids", expanding=True)),
)
_STEPS = select(t.run_steps.c.step_id).where(
    t.run_steps.c.run_id == bindparam("of_run"),
    t.run_steps.c.step_id.in_(bindparam("ids", expanding=True)),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """How much of a log is wanted: lines, characters of each, and of all together."""

    lines: int
    each: int
    together: int


@dataclass(frozen=True, slots=True)
class Matches:
    """Numbers of lines that have a text. `searched_to`: go on after it; None: that was all."""

    numbers: list[int]
    searched_to: int | None


def coloured(text: str) -> str:
    """As `plain`, but with the console's sequences of colour and weight, which pages show."""
    return _CONTROL_BUT_COLOURS.sub("\N{REPLACEMENT CHARACTER}", text)


def without_colours(text: str) -> str:
    """A stored message as it reads: for files, and for what is searched."""
    return COLOURS.sub("", text) if "\x1b" in text else text


def plain(text: str) -> str:
    """Text without what PostgreSQL cannot hold."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def message_text(message: Json) -> str:
    """A log message as one text: list elements joined by one space (1.5)."""
    parts = message if isinstance(message, list) else [message]
    text = " ".join(part if isinstance(part, str) else _ENCODER.encode(part) for part in parts)
    return coloured(text)


def add(tx: Transaction, run_id: str, lines: list[tuple[LogLine, str]]) -> int:
    """Store lines with their scrubbed texts; a line sent again (same id) is stored once.

    Returns the number of the last line. A step that the run does not have is left out (4.5). The
    caller has changed the run's row, which keeps other platforms from numbering meanwhile.
    """
    named = {line.step_id for line, _ in lines if line.step_id is not None}
    steps = _found(tx.connection, _STEPS, run_id, list(named))
    last = count(tx.connection, run_id)
    rows = _rows(run_id, lines, last, steps, set())
    try:
        with savepoint(tx.connection, "lines"):
            add_rows(tx.connection, t.log_lines, rows)
    except Exception as error:
        if not is_double(error):
            raise
        # rare: a worker sends again what it was not told to have arrived
        known = _found(
            tx.connection, _KNOWN, run_id, [key for line, _ in lines if (key := line.id)]
        )
        rows = _rows(run_id, lines, last, steps, known)
        add_rows(tx.connection, t.log_lines, rows)
    last += len(rows)
    tx.notify(f"run:{run_id}", "logs", last=last)
    return last


def _rows(
    run_id: str,
    lines: list[tuple[LogLine, str]],
    last: int,
    steps: set[str | None],
    known: set[str | None],
) -> list[dict[str, Any]]:
    """Rows of the lines that are not known, numbered after `last`."""
    known, rows = set(known), list[dict[str, Any]]()
    for line, text in lines:
        if line.id is not None:
            if line.id in known:
                continue
            known.add(line.id)
        rows.append(
            {
                "run_id": run_id,
                "number": last + len(rows) + 1,
                "line_id": line.id,
                "step_id": line.step_id if line.step_id in steps else None,
                "timestamp": int(line.timestamp),
                "level": line.level,
                "source": line.source,
                "message": text,
            }
        )
    return rows


def _found(
    connection: Connection, query: Select[tuple[str | None]], run_id: str, ids: list[str]
) -> set[str | None]:
    """Those of the ids that the run has already."""
    found = set[str | None]()
    for start in range(0, len(ids), _NAMED):
        some = {"of_run": run_id, "ids": ids[start : start + _NAMED]}
        found.update(connection.scalars(query, some))
    return found


def count(connection: Connection, run_id: str) -> int:
    """How many lines there are, which is the number of the last one."""
    return connection.scalar(_LAST, {"of_run": run_id}) or 0


def lines(connection: Connection, run_id: str, after: int, wanted: Wanted) -> list[Row]:
    """Lines after a number, in order; if there are any, at least one.

    `size` has the characters that a message has as a whole.
    """
    c = t.log_lines.c
    columns = (c.id, c.number, c.timestamp, c.level, c.source, c.step_id)
    message = func.substr(c.message, 1, wanted.each).label("message")
    found: list[Row] = []
    room = wanted.together
    query = (
        select(*columns, message, func.length(c.message).label("size"))
        .where(c.run_id == run_id, c.number > after)
        .order_by(c.number)
        .limit(wanted.lines)
        .execution_options(yield_per=_FETCHED)  # what is not wanted stays in the database
    )
    with connection.execute(query) as rows:
        for row in rows:
            found.append(row)
            room -= len(row.message)
            if room <= 0:
                break
    return found


def search(
    connection: Connection, run_id: str, text: str, *, after: int = 0, most: int = 100
) -> Matches:
    """Lines after a number that have a text, whatever its case. It looks at `SEARCHED` at most."""
    last = count(connection, run_id)
    end = min(after + SEARCHED, last)
    numbers, to = lines_with(connection, run_id, text, (after + 1, end), most)
    return Matches(numbers, to if to < last else None)


def lines_with(
    connection: Connection, run_id: str, text: str, between: tuple[int, int], most: int
) -> tuple[list[int], int]:
    """The first `most` numbers of lines that have a text, and the last that was looked at.

    The database finds the text in lines without colours; those with some are read, as sequences
    may stand between its characters.
    """
    c, numbers, room = t.log_lines.c, list[int](), _READ
    has_colours = c.message.contains("\x1b[")
    query = (
        select(c.number, case((has_colours, c.message)).label("message"))
        .where(c.run_id == run_id, c.number.between(*between))
        .where(or_(has_colours, c.message.icontains(text, autoescape=True)))
        .order_by(c.number)
        .execution_options(yield_per=_FETCHED)
    )
    wanted = text.casefold()
    with connection.execute(query) as rows:
        for number, message in rows:
            if message is None or wanted in without_colours(message).casefold():
                numbers.append(number)
            room -= len(message or "")
            if len(numbers) >= most or room <= 0:
                return numbers, number
    return numbers, between[1]

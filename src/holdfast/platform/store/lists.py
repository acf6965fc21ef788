"""Lists for the API and the pages: chosen by values and times, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, true

from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row

#: Characters of one line in a list of lines; the log of its run has all of it.
LONGEST_LINE = 65_536


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which rows: values by name, first and last time by name (microseconds), and the page."""

    equal: Mapping[str, str]
    since: Mapping[str, int]
    until: Mapping[str, int]
    limit: int
    offset: int
    #: The projects that the asker may see; None: all of them.
    visible: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """The rows of one page, and how many there are on all pages."""

    rows: list[Row]
    total: int


def list_log_lines(connection: Connection, chosen: Chosen) -> Listed:
    """By `run_id`, `level`, `step_id`, by what their run belongs to, by `job_id`; `timestamp`."""
    c, r = t.log_lines.c, t.runs.c
    message = func.substr(c.message, 1, LONGEST_LINE).label("message")
    others = [column for column in c if column.name != "message"]
    query = select(*others, message, func.length(c.message).label("size"))
    # of one run in the order of its index, which is the same
    query = query.order_by(c.number if "run_id" in chosen.equal else c.id)
    columns = {name: c[name] for name in ("run_id", "level", "step_id")}
    of_run = {name: r[name] for name in ("project_id", "workflow_id", "work_order_id")}
    if of_run.keys() & chosen.equal.keys() or chosen.visible is not None:
        query = query.join(t.runs, r.id == c.run_id)
        query = query.where(seen(r.project_id, chosen.visible))
    if "job_id" in chosen.equal:
        query = query.join(t.steps, t.steps.c.id == c.step_id)
    columns = {**columns, **of_run, "job_id": t.steps.c.job_id}
    return chosen_rows(connection, query, chosen, columns, {"timestamp": c.timestamp})


def chosen_rows(
    connection: Connection,
    query: Select[Any],
    chosen: Chosen,
    columns: Mapping[str, ColumnElement[Any]],
    times: Mapping[str, ColumnElement[Any]],
) -> Listed:
    """The page of a query that is asked for, by these columns and times."""
    query = query.where(*(columns[name] == value for name, value in chosen.equal.items()))
    query = query.where(*(times[name] >= at for name, at in chosen.since.items()))
    query = query.where(*(times[name] <= at for name, at in chosen.until.items()))
    total = connection.scalar(select(func.count()).select_from(query.order_by(None).subquery()))
    rows = list(connection.execute(query.limit(chosen.limit).offset(chosen.offset)))
    return Listed(rows, total or 0)


def seen(column: ColumnElement[Any], visible: frozenset[str] | None) -> ColumnElement[bool]:
    """The rows of projects that may be seen; None: of every project."""
    return true() if visible is None else column.in_(sorted(visible))

"""Pages of runs and work orders, newest first, however long the history is.

A page begins at a place, and never counts the rows before it. An index drives each search: that of
a filter that few rows pass, else that of the time. At most `WINDOW` rows are looked at for one
page. A filter that hardly any of them pass gives a page with fewer rows than were asked for, and
the place where to go on. Of the rows that are looked at, only what the filters ask for is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Column, ColumnElement, and_, func, literal, or_, select, true
from sqlalchemy.sql.selectable import Subquery
from sqlalchemy.sql.visitors import iterate

from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row

#: Rows that one page looks at, and that are counted.
WINDOW = 10_000
#: Rows that are looked at first, for each one that is wanted.
_FIRST = 4
#: A filter that no more rows pass than these is driven by its own index.
FEW = 1000
#: Pieces that a search is split into at most: each looks at its part of the window.
PARTS = 20

#: What people ask for with `unsuccessful`: whoever cancels knows why.
UNSUCCESSFUL = tuple(state for state in t.BAD_STATES if state != "cancelled")

Conditions = list[ColumnElement[bool]]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """In the order of the list: a row that was made then (microseconds) and has this id."""

    at: int
    key: str

    @property
    def text(self) -> str:
        """How a link has it."""
        return f"{self.at}.{self.key}"


@dataclass(frozen=True, slots=True)
class Range:
    """From `least` to `most`, both included; None: no bound."""

    least: int | None = None
    most: int | None = None

    def __bool__(self) -> bool:
        return self.least is not None or self.most is not None

    def holds(self, column: ColumnElement[int]) -> ColumnElement[bool]:
        lower = true() if self.least is None else column >= self.least
        return lower if self.most is None else and_(lower, column <= self.most)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which rows. Times in microseconds, memory in bytes; None or empty: any.

    Of a work order, `error_type`, `worker`, `duration_ms` and `memory` are of one of its runs.
    """

    states: tuple[str, ...] = ()
    project_id: str | None = None
    workflow_id: str | None = None
    work_order_id: str | None = None
    error_type: str | None = None
    worker: str | None = None
    id_begins: str | None = None
    inserted: Range = field(default_factory=Range)
    updated: Range = field(default_factory=Range)
    duration_ms: Range = field(default_factory=Range)
    memory: Range = field(default_factory=Range)
    #: The projects that the asker may see; None: all of them.
    visible: frozenset[str] | None = None

    def parts(self) -> list[Filters]:
        """The same in pieces that an index has in order: one project, one kind of state."""
        projects: list[str | None] = [self.project_id]
        if self.visible is not None:
            seen = sorted(self.visible)
            projects = [key for key in seen if self.project_id in {None, key}]
        states = _pieces(self.states)
        if len(projects) * len(states) > PARTS:
            return [replace(self, states=some) for some in states]
        return [
            replace(self, visible=None, project_id=key, states=some)
            for key in projects
            for some in states
        ]


def _pieces(states: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Those of which each has an index; all together where one has none."""
    if not states or not {*states} <= {*t.BAD_STATES, *t.WAITING_STATES, *t.UNDER_WAY_STATES}:
        return [states]
    going = tuple(state for state in states if state in t.UNDER_WAY_STATES)
    alone: list[tuple[str, ...]] = [(state,) for state in states if state not in going]
    return [*alone, going] if going else alone


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which page: `limit` rows after a place or before it, or `offset` rows from the newest.

    `last`: the oldest ones.
    """

    limit: int
    after: Place | None = None
    before: Place | None = None
    offset: int = 0
    last: bool = False

    @property
    def backwards(self) -> bool:
        return self.last or self.before is not None

    @property
    def needed(self) -> int:
        """Rows that show whether there is a further page."""
        return self.offset + self.limit + 1


@dataclass(frozen=True, slots=True)
class Page:
    """The rows, newest first; the places after which older and before which newer ones are."""

    rows: list[Row]
    older: Place | None
    newer: Place | None


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows there are; not `exact`: that many were found where one page looks."""

    number: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Kind:
    """A table: the columns that are shown, its indexes' conditions, and what its filters mean.

    `conditions` are of the table itself, or of a query that has the columns which they name.
    """

    columns: list[Any]
    #: Conditions that have an index of their own, each with the ids that pass it.
    own: Callable[[Filters], Iterator[tuple[ColumnElement[bool], Any]]]
    #: The condition whose index has the rows in order of time, and what SQLite must be told to
    #: take it. PostgreSQL knows, and would think that fewer rows pass both. Empty: all rows.
    drive: Callable[[Any, Filters], Conditions]
    conditions: Callable[[Any, Filters], Conditions]
    #: As how many rows one counts that is looked at.
    weight: Callable[[Filters], int] = lambda _: 1

    @property
    def table(self) -> Any:
        return self.columns[0].table


def page(connection: Connection, kind: Kind, filters: Filters, wanted: Wanted) -> Page:
    """One page of `RUNS` or `WORK_ORDERS`."""
    shown, ahead = _places(connection, kind, filters, wanted)
    behind = shown[0] if shown and not _begins(wanted) else None
    rows = whole(connection, kind, [place.key for place in shown])
    return Page(rows, behind, ahead) if wanted.backwards else Page(rows, ahead, behind)


def newest_ids(
    connection: Connection, kind: Kind, filters: Filters, most: int
) -> tuple[list[str], bool]:
    """The ids of the newest rows, the newest first, and whether there may be more."""
    shown, ahead = _places(connection, kind, filters, Wanted(most))
    return [place.key for place in shown], ahead is not None


def _places(
    connection: Connection, kind: Kind, filters: Filters, wanted: Wanted
) -> tuple[list[Place], Place | None]:
    """Those of a page, and the place where to go on in the direction of the search."""
    backwards, parts = wanted.backwards, filters.parts()
    found, ends = list[Place](), list[Place]()
    for part in parts:
        window = _window(kind, part, len(parts))
        places, end = _look(connection, kind, part, wanted, window)
        found += places
        ends += [end] if end is not None else []
    found.sort(reverse=not backwards)
    # behind the nearest end of a part there may be rows of it that were not looked at
    horizon = (min(ends) if backwards else max(ends)) if ends else None
    if horizon is not None and backwards:
        found = [place for place in found if place <= horizon]
    elif horizon is not None:
        found = [place for place in found if place >= horizon]
    shown = found[wanted.offset : wanted.offset + wanted.limit]
    more = len(found) > wanted.offset + wanted.limit
    return shown, shown[-1] if more else horizon


def count(connection: Connection, kind: Kind, filters: Filters) -> Count:
    """How many rows there are, counted as far as one page looks."""
    number, exact, parts = 0, True, filters.parts()
    for part in parts:
        window = _window(kind, part, len(parts))
        looked = _looked_at(connection, kind, part, Wanted(1), window, keys=False)
        passing = func.count().filter(*kind.conditions(looked.c, part))
        all_of_it, some = connection.execute(
            select(func.count(), passing).select_from(looked)
        ).one()
        number += some
        exact = exact and all_of_it < window
    return Count(number, exact)


def _window(kind: Kind, part: Filters, parts: int) -> int:
    return max(1, WINDOW // (parts * kind.weight(part)))


def _begins(wanted: Wanted) -> bool:
    return wanted.last or (wanted.after is None and wanted.before is None and not wanted.offset)


def whole(connection: Connection, kind: Kind, ids: Iterable[str]) -> list[Row]:
    """All that is shown of these rows, newest first."""
    c = kind.table.c
    query = select(*kind.columns).where(c.id.in_(list(ids)))
    return list(connection.execute(query.order_by(*_order(c, backwards=False))))


def _look(
    connection: Connection, kind: Kind, filters: Filters, wanted: Wanted, window: int
) -> tuple[list[Place], Place | None]:
    """The next rows, and the place up to which there are no others; None: to the very end."""
    first = min(_FIRST * wanted.needed, window)  # mostly the first rows are enough
    for size in sorted({first, window}):
        looked = _looked_at(connection, kind, filters, wanted, size)
        order = _order(looked.c, backwards=wanted.backwards)
        query = select(looked.c.inserted_at, looked.c.id).order_by(*order)
        passing = query.where(*kind.conditions(looked.c, filters)).limit(wanted.needed)
        places = [Place(*row) for row in connection.execute(passing)]
        if len(places) == wanted.needed:
            return places, places[-1]
    # the last row of those that were looked at; there is none: there are no more than these
    end = connection.execute(query.limit(1).offset(window - 1)).one_or_none()
    return places, None if end is None else Place(*end)


def _looked_at(
    connection: Connection,
    kind: Kind,
    filters: Filters,
    wanted: Wanted,
    window: int,
    *,
    keys: bool = True,
) -> Subquery:
    """The next rows that the index has, with the columns of the filters; `keys`: and of places.

    Without them rows of the same moment have no order, which an index may not have either.
    """
    c = kind.table.c
    columns = _named_in(kind.conditions(c, filters), kind)
    columns |= {c.inserted_at, c.id} if keys else {c.inserted_at}
    query = select(*sorted(columns, key=str)).where(filters.inserted.holds(c.inserted_at))
    few = _few(connection, kind, filters)
    driving = kind.drive(c, filters) if few is None else [few]
    query = query.where(*driving if connection.dialect.name == "sqlite" else driving[:1])
    if wanted.after is not None:
        query = query.where(_beyond(c, wanted.after, backwards=False))
    if wanted.before is not None:
        query = query.where(_beyond(c, wanted.before, backwards=True))
    order = _order(c, backwards=wanted.backwards)
    return query.order_by(*order[: None if keys else 1]).limit(window).subquery("looked")


def _named_in(conditions: Conditions, kind: Kind) -> set[Column[Any]]:
    """The columns of the table that conditions name."""
    found = (element for condition in conditions for element in iterate(condition))
    return {one for one in found if isinstance(one, Column) and one.table is kind.table}


def _few(connection: Connection, kind: Kind, filters: Filters) -> ColumnElement[bool] | None:
    """The rows that pass a filter which few pass, if there is one."""
    for condition, ids in kind.own(filters):
        some = select(literal(1)).where(condition).limit(FEW + 1).subquery()
        if (connection.scalar(select(func.count()).select_from(some)) or 0) <= FEW:
            chosen = select(ids).where(condition).limit(FEW).subquery()
            column: ColumnElement[bool] = kind.table.c.id.in_(select(chosen.c[0]))
            return column
    return None


def _beyond(c: Any, place: Place, *, backwards: bool) -> ColumnElement[bool]:
    """Behind a place in the direction of the search; written so that an index finds it."""
    if backwards:
        return and_(c.inserted_at >= place.at, or_(c.inserted_at > place.at, c.id > place.key))
    return and_(c.inserted_at <= place.at, or_(c.inserted_at < place.at, c.id < place.key))


def _order(c: Any, *, backwards: bool) -> tuple[Any, Any]:
    return (c.inserted_at, c.id) if backwards else (c.inserted_at.desc(), c.id.desc())


def named(connection: Connection, rows: list[Row]) -> list[dict[str, Any]]:
    """Rows as dictionaries, with `workflow_name`, whether it is `removed`, and `project_name`."""
    w, p = t.workflows.c, t.projects.c
    columns = (w.id, w.name, w.deleted_at, p.name.label("project"))
    query = select(*columns).join(t.projects, p.id == w.project_id)
    ids = {row.workflow_id for row in rows}
    names = {row.id: row for row in connection.execute(query.where(w.id.in_(sorted(ids))))}
    return [
        {
            **row._mapping,
            "workflow_name": names[row.workflow_id].name,
            "removed": names[row.workflow_id].deleted_at is not None,
            "project_name": names[row.workflow_id].project,
        }
        for row in rows
    ]

"""What `history.py` lists: the columns, indexes and filters of runs and of work orders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, and_, false, literal, select

from holdfast.platform.store import tables as t
from holdfast.platform.store.history import Conditions, Filters, Kind

#: Behind all digits of an id, in each collation: the end of those that begin with a text.
_BEHIND = "g"


def begins(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """The ids that begin with a text, found by their index."""
    return and_(column >= text, column < text + _BEHIND, column.startswith(text, autoescape=True))


def _of_runs(filters: Filters) -> Iterator[ColumnElement[bool]]:
    """Conditions of runs that have an index of their own."""
    r = t.runs.c
    if filters.error_type is not None:
        yield r.error_type == filters.error_type
    if filters.duration_ms:
        yield and_(r.duration_ms.is_not(None), filters.duration_ms.holds(r.duration_ms))
    if filters.memory:
        yield and_(r.peak_memory.is_not(None), filters.memory.holds(r.peak_memory))
    if filters.worker is not None:
        yield r.worker_name == filters.worker


def _own_of_runs(filters: Filters) -> Iterator[tuple[ColumnElement[bool], Any]]:
    r = t.runs.c
    if filters.id_begins is not None:
        yield begins(r.id, filters.id_begins.lower()), r.id
    for states, condition in ((t.WAITING_STATES, t.WAITING), (t.UNDER_WAY_STATES, t.UNDER_WAY)):
        if filters.states and {*filters.states} <= {*states}:
            yield condition, r.id
    yield from ((condition, r.id) for condition in _of_runs(filters))


def _drive_runs(c: Any, filters: Filters) -> Conditions:
    if filters.work_order_id is not None:
        return [c.work_order_id == filters.work_order_id]
    if filters.error_type is not None:
        return [c.error_type == filters.error_type, c.error_type.is_not(None)]
    return _drive(c, filters, filters.worker)


def _drive(c: Any, filters: Filters, worker: str | None = None) -> Conditions:
    if set(filters.states) & set(t.BAD_STATES) and len(filters.states) == 1:
        state = literal(filters.states[0], literal_execute=True)
        return [c.state == state, t.ended_badly(c.state)]
    if filters.workflow_id is not None:
        return [c.workflow_id == filters.workflow_id]
    if worker is not None:
        return [c.worker_name == worker]
    return [] if filters.project_id is None else [c.project_id == filters.project_id]


def _same(c: Any, filters: Filters) -> Conditions:
    """What is asked of runs and of work orders alike."""
    found = [
        c[name] == value
        for name in ("project_id", "workflow_id")
        if (value := getattr(filters, name)) is not None
    ]
    if filters.visible is not None:
        found.append(c.project_id.in_(sorted(filters.visible)))
    if filters.states:
        found.append(c.state.in_(filters.states))
    return found


def _runs(c: Any, filters: Filters) -> Conditions:
    found = _same(c, filters)
    for name, value in (
        ("work_order_id", filters.work_order_id),
        ("error_type", filters.error_type),
        ("worker_name", filters.worker),
    ):
        if value is not None:
            found.append(c[name] == value)
    if filters.id_begins is not None:
        found.append(c.id.startswith(filters.id_begins.lower(), autoescape=True))
    for name, bounds in (
        ("last_event_at", filters.updated),
        ("duration_ms", filters.duration_ms),
        ("peak_memory", filters.memory),
    ):
        if bounds:
            found.append(bounds.holds(c[name]))
    return found


def _own_of_orders(filters: Filters) -> Iterator[tuple[ColumnElement[bool], Any]]:
    w = t.work_orders.c
    if filters.id_begins is not None:
        yield begins(w.id, filters.id_begins.lower()), w.id
    yield from ((condition, t.runs.c.work_order_id) for condition in _of_runs(filters))


def _orders(c: Any, filters: Filters) -> Conditions:
    r, found = t.runs.c, _same(c, filters)
    if filters.updated:
        found.append(filters.updated.holds(c.last_activity))
    if filters.id_begins is not None:
        found.append(c.id.startswith(filters.id_begins.lower(), autoescape=True))
    if filters.work_order_id is not None:
        found.append(false())
    if asked := list(_of_runs(filters)):
        found.append(select(literal(1)).where(r.work_order_id == c.id, *asked).exists())
    return found


def _weight_of_orders(filters: Filters) -> int:
    """Whether one of its runs passes is found in another table."""
    return 4 if any(True for _ in _of_runs(filters)) else 1


RUNS = Kind(t.LISTED_RUN, _own_of_runs, _drive_runs, _runs)
WORK_ORDERS = Kind(list(t.work_orders.c), _own_of_orders, _drive, _orders, _weight_of_orders)

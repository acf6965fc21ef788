"""Lists of runs and of work orders: filters, and pages that cost the same wherever they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.model.json import JsonObject
from holdfast.platform.access import visit
from holdfast.platform.api import views
from holdfast.platform.api.shape import Page
from holdfast.platform.service import Platform
from holdfast.platform.store import history
from holdfast.platform.store.database import Connection
from holdfast.platform.store.documents import find_project
from holdfast.platform.store.history import Count, Filters, Kind, Wanted
from holdfast.platform.store.history_kinds import RUNS, WORK_ORDERS
from holdfast.platform.store.history_query import (
    ORDER_STATES,
    RUN_STATES,
    BadFilter,
    filters_of,
    page_of,
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One list as it is asked for."""

    filters: Filters
    wanted: Wanted
    page: Page


async def runs(request: Request) -> Response:
    """Runs, newest first. Follow `links.next` to the end: a page may have fewer entries.

    `state` is one or several with commas, or `unsuccessful`. `meta.exact` is false where there are
    perhaps more entries than were counted.
    """
    return await _listed(request, RUNS, views.run, RUN_STATES)


async def work_orders(request: Request) -> Response:
    """Work orders, newest first: filters and pages as those of runs.

    `error_type`, `worker`, duration and memory are of one of its runs.
    """
    return await _listed(request, WORK_ORDERS, views.work_order, ORDER_STATES)


async def _listed(
    request: Request, kind: Kind, view: Callable[[Any], JsonObject], states: tuple[str, ...]
) -> Response:
    platform: Platform = request.app.state.platform
    try:
        asked = _asked(request, states)
        rows, number = await platform.database.read(lambda c: _read(c, kind, asked))
    except BadFilter as error:
        return JSONResponse({"error": error.message}, 422)
    body = {"data": [view(row) for row in rows.rows], "included": []}
    return JSONResponse(body | _around(request, asked, rows, number))


def _read(connection: Connection, kind: Kind, asked: _Asked) -> tuple[history.Page, Count]:
    filters = with_project(connection, asked.filters)
    number = history.count(connection, kind, filters)
    if asked.wanted.offset >= max(1, number.number) and not number.exact:
        last = max(1, number.number // asked.page.size)
        message = f"page must be at most {last}; links.next goes on"
        raise BadFilter(message)
    return history.page(connection, kind, filters, asked.wanted), number


def with_project(connection: Connection, filters: Filters) -> Filters:
    """With the project's id where a path or a query has its name."""
    named = filters.project_id
    found = None if named is None else find_project(connection, named)
    return filters if found is None else replace(filters, project_id=found)


def _asked(request: Request, states: tuple[str, ...]) -> _Asked:
    """Raises BadFilter."""
    given = {**request.query_params, **request.path_params}
    filters, shown = filters_of(given, states, visit.subject().visible), Page.of(request)
    wanted, offset = page_of(given, shown.size), (shown.number - 1) * shown.size
    if offset and (wanted.after is not None or wanted.backwards):
        message = "page cannot be asked for together with after, before or last"
        raise BadFilter(message)
    return _Asked(filters, replace(wanted, offset=offset), shown)


def _around(request: Request, asked: _Asked, rows: history.Page, number: Count) -> JsonObject:
    """`meta` and `links`. Pages have numbers as far as all entries are counted."""
    size, shown = asked.page.size, asked.page.number
    pages = max(1, -(-number.number // size))
    numbered = asked.wanted.after is None and not asked.wanted.backwards

    def link(**asked_for: object) -> str:
        url = request.url.remove_query_params(["page", "after", "before", "last"])
        return str(url.include_query_params(**asked_for))

    older = None if rows.older is None else link(after=rows.older.text)
    newer = None if rows.newer is None else link(before=rows.newer.text)
    if numbered and number.exact:
        older = link(page=shown + 1) if shown < pages else None
        newer = link(page=shown - 1) if 1 < shown <= pages else None
    links: JsonObject = {
        "self": str(request.url),
        "first": link(page=1),
        "prev": newer,
        "next": older,
        "last": link(page=pages) if number.exact else link(last="true"),
    }
    meta: JsonObject = {
        "total_entries": number.number,
        "total_pages": pages,
        "page_number": shown if numbered else None,
        "page_size": size,
    }
    if not number.exact:
        meta["exact"] = False
    return {"meta": meta, "links": links}

"""The lists of runs and of work orders: filters, search, pages, and the reader's saved views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from holdfast.platform.access import visit
from holdfast.platform.service import Platform
from holdfast.platform.store import views
from holdfast.platform.store.database import Connection
from holdfast.platform.store.history import Filters, Wanted
from holdfast.platform.store.history_query import (
    ID,
    ORDER_STATES,
    RUN_STATES,
    BadFilter,
    filters_of,
    page_of,
)
from holdfast.platform.web import chosen, data
from holdfast.platform.web.manyruns import startable
from holdfast.platform.web.render import page

#: What the lists can be asked for.
FILTERS = ("state", "workflow_id", "q", "error_type", "worker", "inserted_after",
           "inserted_before", "min_duration_ms", "min_memory_mb")  # fmt: skip
#: Path of a list -> states that it knows.
LISTS = {"/runs": RUN_STATES, "/work_orders": ORDER_STATES}


def list_routes() -> list[BaseRoute]:
    """The two lists."""
    return [Route("/runs", runs), Route("/work_orders", work_orders)]


@dataclass(frozen=True, slots=True)
class Asked:
    """A list as its address asks for it. `words`: a search; `begins`: the beginning of an id."""

    shown: dict[str, str]
    filters: Filters
    wanted: Wanted
    words: str | None
    begins: str
    before: int | None
    problem: str | None = None

    @classmethod
    def read(cls, request: Request, states: tuple[str, ...]) -> Asked:
        given, visible = dict(request.query_params), visit.subject().visible
        shown = kept(given)
        text = shown.get("q", "").strip()
        words = text if text and not ID.fullmatch(text) else None
        older = given.get("after", "")
        before = int(older) if older.isascii() and older.isdigit() and len(older) < 19 else None
        asked = cls(shown, Filters(visible=visible), Wanted(data.PAGE), words,
                    "" if words else text, before)  # fmt: skip
        try:
            filters = filters_of({**shown, "id_begins": asked.begins}, states, visible)
            wanted = asked.wanted if words else page_of(given, data.PAGE)
        except BadFilter as error:
            return replace(asked, problem=error.message)
        return replace(asked, filters=filters, wanted=wanted)


def kept(given: Mapping[str, str]) -> dict[str, str]:
    """The filters of an address, in the order in which addresses have them."""
    return {name: given[name] for name in FILTERS if given.get(name)}


async def runs(request: Request) -> Response:
    """Runs, newest first, chosen as in the API; `q`: the beginning of an id, or words."""
    platform: Platform = request.app.state.platform
    asked = Asked.read(request, RUN_STATES)

    def read(connection: Connection) -> dict[str, Any]:
        if asked.problem is not None:
            return {"runs": [], "older": None, "newer": None}
        if asked.words is not None:
            rows, older = data.searched(connection, asked.words, asked.filters, asked.before)
            return {"runs": rows, "older": older, "newer": None}
        rows, older, newer = data.page_of_runs(connection, asked.filters, asked.wanted)
        return {"runs": rows, "older": older, "newer": newer}

    found = await platform.database.read(read)
    projects = await startable(platform)
    common = await _common(request, asked)
    matching = {name: value for name, value in asked.shown.items() if name != "q"}
    matching |= {"id_begins": asked.begins} if asked.begins else {}
    return page(
        "runs.html",
        status=422 if asked.problem else 200,
        **found,
        **common,
        startable=projects,
        matching=None if asked.words or asked.problem else matching,
        project_of_filter={w["id"]: w["project_id"] for w in common["workflows"]}.get(
            asked.filters.workflow_id
        ),
        told=chosen.Told.read(request.query_params.get("told", "")),
        address=chosen.address_of(request),
    )


async def work_orders(request: Request) -> Response:
    """Work orders, newest first, each with its runs; filters as those of runs."""
    platform: Platform = request.app.state.platform
    asked = Asked.read(request, ORDER_STATES)

    def read(connection: Connection) -> dict[str, Any]:
        if asked.problem is not None:
            return {"orders": [], "older": None, "newer": None}
        if asked.words is not None:
            rows, older = data.searched_orders(
                connection, asked.words, asked.filters, asked.before
            )
            return {"orders": rows, "older": older, "newer": None}
        rows, older, newer = data.page_of_orders(connection, asked.filters, asked.wanted)
        return {"orders": rows, "older": older, "newer": newer}

    found = await platform.database.read(read)
    status = 422 if asked.problem else 200
    return page("work_orders.html", status=status, **found, **await _common(request, asked))


async def _common(request: Request, asked: Asked) -> dict[str, Any]:
    """What both lists show around their rows."""
    platform: Platform = request.app.state.platform
    subject, path = visit.subject(), request.url.path

    def read(connection: Connection) -> tuple[Any, Any]:
        mine = views.views_of(connection, subject.user_id) if subject.user_id else []
        return data.workflow_rows(connection, subject.visible), mine

    workflows, mine = await platform.database.read(read)
    query = urlencode(asked.shown)
    return {
        "path": path,
        "filters": dict.fromkeys(FILTERS) | asked.shown,
        "kept": query,
        "problem": asked.problem,
        "states": ("unsuccessful", *LISTS[path]),
        "workflows": workflows,
        "views": mine,
        "view": next((v for v in mine if (v.path, v.query) == (path, query)), None),
        "saves": subject.user_id is not None,
    }

"""The shape of the read API: JSON:API-like, paged, by time (`docs/spec/platform.md` 7.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.model.json import JsonObject
from holdfast.platform.access import visit
from holdfast.platform.store.history_query import BadFilter, moment, whole_number
from holdfast.platform.store.lists import Chosen

LARGEST_PAGE = 100


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for, counted from 1."""

    number: int
    size: int

    @classmethod
    def of(cls, request: Request) -> Page:
        return cls(_whole(request, "page", 1), min(_whole(request, "page_size", 10), LARGEST_PAGE))


def _whole(request: Request, name: str, default: int) -> int:
    return whole_number(request.query_params.get(name, str(default)), name, least=1)


def chosen(request: Request, page: Page, names: Iterable[str], times: Iterable[str]) -> Chosen:
    """The rows that path and query choose: values by name, `<time>_after`, `<time>_before`.

    Raises BadFilter.
    """
    given = {**request.query_params, **request.path_params}
    return Chosen(
        equal={name: given[name] for name in names if name in given},
        since=_times(request, times, "after"),
        until=_times(request, times, "before"),
        limit=page.size,
        offset=(page.number - 1) * page.size,
        visible=visit.subject().visible,
    )


def chosen_page(
    request: Request, names: Iterable[str], times: Iterable[str]
) -> tuple[Page, Chosen] | Response:
    """What a request for a list asks for; 422 that names what cannot be understood."""
    try:
        page = Page.of(request)
        return page, chosen(request, page, names, times)
    except BadFilter as error:
        return JSONResponse({"error": error.message}, 422)


def _times(request: Request, times: Iterable[str], side: str) -> dict[str, int]:
    given = request.query_params
    asked = {name: f"{name}_{side}" for name in times}
    return {name: moment(given[key], key) for name, key in asked.items() if key in given}


def item(kind: str, key: str, attributes: JsonObject, related: JsonObject) -> JsonObject:
    relationships: JsonObject = {
        name: {"data": {"id": value}} for name, value in related.items() if value is not None
    }
    return {
        "type": kind,
        "id": key,
        "attributes": attributes,
        "relationships": relationships,
        "links": {"self": f"/api/{kind}/{key}"},
    }


def around(request: Request, page: Page, total: int) -> JsonObject:
    """The members that go with one page of `total` entries: `included`, `meta` and `links`."""
    pages = max(1, -(-total // page.size))

    def link(number: int) -> str | None:
        if not 1 <= number <= pages:
            return None
        return str(request.url.include_query_params(page=number))

    links: JsonObject = {
        "self": link(page.number),
        "first": link(1),
        "prev": link(page.number - 1),
        "next": link(page.number + 1),
        "last": link(pages),
    }
    meta: JsonObject = {
        "total_entries": total,
        "total_pages": pages,
        "page_number": page.number,
        "page_size": page.size,
    }
    return {"included": [], "meta": meta, "links": links}

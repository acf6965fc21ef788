"""Full-text search over runs."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.model.json import Json, JsonObject
from holdfast.platform.access import visit
from holdfast.platform.api import views
from holdfast.platform.api.history import with_project
from holdfast.platform.api.shape import LARGEST_PAGE
from holdfast.platform.service import Platform
from holdfast.platform.store import search
from holdfast.platform.store.database import Row
from holdfast.platform.store.history_query import (
    RUN_STATES,
    BadFilter,
    filters_of,
    whole_number,
)
from holdfast.platform.store.search_words import asked_words

_LONGEST = 1000


async def find(request: Request) -> Response:
    """Runs that have ended whose log, input or output has all words of `q`; or an id of it.

    A word that ends with `*` is a beginning. `in`: `log`, `input`, `output`, several with commas.
    The filters of runs may be given, too. While `links.next` is there, follow it.
    """
    platform: Platform = request.app.state.platform
    given = {**request.query_params, **request.path_params}
    try:
        text, kinds = _text(given.get("q", "")), _kinds(given.get("in", ""))
        filters = filters_of(given, RUN_STATES, visit.subject().visible)
        size = whole_number(given.get("page_size", "10"), "page_size", least=1)
        after = whole_number(given["after"], "after", most=2**62) if given.get("after") else None
    except BadFilter as error:
        return JSONResponse({"error": error.message}, 422)
    limit = min(size, LARGEST_PAGE)
    results = await platform.database.read(
        lambda c: search.find(
            c, text, with_project(c, filters), kinds=kinds, before=after, limit=limit
        )
    )
    following = None
    if results.older is not None:
        following = str(request.url.include_query_params(after=results.older))
    data: list[Json] = [_shown(found) for found in results.found]
    return JSONResponse({"data": data, "links": {"self": str(request.url), "next": following}})


def _shown(found: search.Found) -> JsonObject:
    run = views.run(found.run)
    matches: list[Json] = [_match(part) for part in found.parts]
    return {**run, "matches": matches, "lines": list[Json](found.lines)}


def _match(part: Row) -> JsonObject:
    if part.kind == "log":
        return {"kind": "log", "first_line": part.first, "last_line": part.last}
    return {"kind": part.kind, "dataclip_id": part.clip_id}


def _text(text: str) -> str:
    """Raises BadFilter."""
    if not asked_words(text) or len(text) > _LONGEST:
        message = f"q must have words, in at most {_LONGEST} characters"
        raise BadFilter(message)
    return text


def _kinds(text: str) -> tuple[str, ...]:
    """Raises BadFilter."""
    named = tuple(name for name in text.split(",") if name)
    if unknown := set(named) - set(search.KINDS):
        message = f"in: {min(unknown)!r} is none of {', '.join(search.KINDS)}"
        raise BadFilter(message)
    return named

"""Views that people save: the filters of a list under a name, for themselves."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from holdfast.platform.access import visit
from holdfast.platform.service import Platform
from holdfast.platform.store import views
from holdfast.platform.store.database import Row
from holdfast.platform.web.account import fields
from holdfast.platform.web.language import later, say
from holdfast.platform.web.lists import LISTS, kept
from holdfast.platform.web.render import message

#: Characters of a name and of the filters.
_NAME, _QUERY = 100, 2000
_NOT_SAVED = later("Not saved")


def view_routes() -> list[BaseRoute]:
    """Save, rename, remove."""
    return [
        Route("/views", save, methods=["POST"]),
        Route("/views/{id}/rename", rename, methods=["POST"]),
        Route("/views/{id}/remove", remove, methods=["POST"]),
    ]


async def save(request: Request) -> Response:
    """`name`, `path` and `query` of a list; the same name again replaces the view."""
    platform: Platform = request.app.state.platform
    user_id = visit.subject().user_id or ""
    given = await fields(request, "name", "path", "query")
    name, path = given["name"].strip(), given["path"]
    query = urlencode(kept(dict(parse_qsl(given["query"][: 2 * _QUERY]))))
    if path not in LISTS or len(query) > _QUERY:
        return message(422, say(_NOT_SAVED), say("This is not a list with filters."))
    if (wrong := _wrong(name)) is not None:
        return message(422, say(_NOT_SAVED), wrong)
    saved = await platform.database.write(
        lambda tx: views.put_view(tx, user_id, name, path, query)
    )
    if not saved:
        text = say("You have %(most)s views. Remove one first.", most=views.MOST)
        return message(422, say(_NOT_SAVED), text)
    return _back(path, query)


async def rename(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    user_id, key = visit.subject().user_id or "", request.path_params["id"]
    name = (await fields(request, "name"))["name"].strip()
    if (wrong := _wrong(name)) is not None:
        return message(422, say(_NOT_SAVED), wrong)
    try:
        found = await platform.database.write(lambda tx: views.rename_view(tx, user_id, key, name))
    except views.NameTakenError:
        text = say("You have another view of this name. Remove it first.")
        return message(422, say(_NOT_SAVED), text)
    return _after(found)


async def remove(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    user_id, key = visit.subject().user_id or "", request.path_params["id"]
    return _after(await platform.database.write(lambda tx: views.remove_view(tx, user_id, key)))


def _wrong(name: str) -> str | None:
    good = 0 < len(name) <= _NAME and name.isprintable()
    return None if good else say("A view needs a name of up to %(most)s characters.", most=_NAME)


def _after(found: Row | None) -> Response:
    if found is None:
        return message(404, say("Not found"), say("There is no such view of yours."))
    return _back(found.path, found.query)


def _back(path: str, query: str) -> Response:
    return RedirectResponse(f"{path}?{query}" if query else path, 303)

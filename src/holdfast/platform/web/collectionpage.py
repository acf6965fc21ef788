"""The pages of a project's collections: browse, search, upload, download, delete."""

from __future__ import annotations

import asyncio
import io
import json
import re
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from holdfast.model.errors import HoldfastError
from holdfast.model.items import FORMATS, read_items, value_of
from holdfast.model.json import JsonObject
from holdfast.platform.access import visit
from holdfast.platform.chores.cleaner import remove_items
from holdfast.platform.collections.putting import put_all
from holdfast.platform.deploy.bring import NotAllowedError, bring
from holdfast.platform.service import Platform
from holdfast.platform.store import collections as store
from holdfast.platform.web.account import fields
from holdfast.platform.web.language import say
from holdfast.platform.web.project import missing, named_project
from holdfast.platform.web.render import message, page

#: Items of a page, and characters of a value that it shows; digits of a number in an address.
_PAGE, _SHOWN, _DIGITS = 50, 2000, 18


def collection_page_routes() -> list[BaseRoute]:
    """The collections of a project, and the items of one."""
    own = "/projects/{project_id}/collections"
    one = f"{own}/{{name}}"
    return [
        Route(own, show),
        Route(own, make, methods=["POST"]),
        Route(one, items),
        Route(one, upload, methods=["POST"]),
        Route(f"{one}/items.jsonl", download),
        Route(f"{one}/remove", remove, methods=["POST"]),
        Route(f"{one}/items/remove", remove_one, methods=["POST"]),
        Route(f"{one}/items/clear", clear, methods=["POST"]),
    ]


@dataclass(frozen=True, slots=True)
class _Opened:
    """A collection of the project that the address names."""

    platform: Platform
    project_id: str
    project: str
    id: str
    name: str

    @property
    def path(self) -> str:
        return f"/projects/{self.project_id}/collections/{quote(self.name, safe='')}"


async def _open(request: Request) -> _Opened | None:
    platform: Platform = request.app.state.platform
    name = request.path_params["name"]
    key, project = await named_project(request)
    visible = frozenset({key})
    found = await platform.database.read(lambda c: store.find_collection(c, name, visible))
    visit.note(key or None, collection=name)
    return None if found is None else _Opened(platform, key, project, found.id, name)


def _none() -> Response:
    return message(404, say("Not found"), say("There is no such collection."))


async def show(request: Request) -> Response:
    """The collections of a project."""
    return await _show(request)


async def _show(request: Request, error: str | None = None) -> Response:
    platform: Platform = request.app.state.platform
    key, project = await named_project(request)
    if not key:
        return missing()
    rows = await platform.database.read(lambda c: store.collections_of(c, key))
    return page(
        "collections.html", status=422 if error else 200, project_id=key, project=project,
        collections=rows, error=error,
    )  # fmt: skip


async def make(request: Request) -> Response:
    """A new, empty collection."""
    name = (await fields(request, "name"))["name"]
    key, _ = await named_project(request)
    asked: JsonObject = {"id": str(uuid.uuid4()), "name": name}
    visit.note(collection=name)
    if (wrong := await _change(request, key, asked)) is not None:
        return await _show(request, wrong)
    return RedirectResponse(f"/projects/{key}/collections/{quote(name, safe='')}", 303)


async def remove(request: Request) -> Response:
    """Remove the collection with all of its items."""
    opened = await _open(request)
    if opened is None:
        return _none()
    gone: JsonObject = {"id": opened.id, "name": opened.name, "delete": True}
    if (wrong := await _change(request, opened.project_id, gone)) is not None:
        return await _show(request, wrong)
    return RedirectResponse(f"/projects/{opened.project_id}/collections", 303)


async def _change(request: Request, project_id: str, collection: JsonObject) -> str | None:
    """What is wrong with it, if anything is."""
    platform: Platform = request.app.state.platform
    document: JsonObject = {"id": project_id, "collections": [collection]}
    try:
        await bring(platform, document, dry=False, source="app")
    except NotAllowedError as error:
        return say("It needs %(needed)s.", needed=error.verdict.needed)
    except HoldfastError as error:
        return error.message
    return None


async def items(request: Request) -> Response:
    """Items in the order in which they came; `?q=` chooses keys, `?after=` goes on."""
    return await _items(request)


async def _items(request: Request, error: str | None = None, text: str = "") -> Response:
    opened = await _open(request)
    if opened is None:
        return _none()
    asked = request.query_params
    after, q = asked.get("after", ""), _asked(asked.get("q"))
    chosen = _chosen(q, _whole(after) or 0)
    rows = await opened.platform.database.read(
        lambda c: store.beginnings(c, opened.id, chosen, _SHOWN)
    )
    return page(
        "collection.html", status=422 if error else 200, project_id=opened.project_id,
        project=opened.project, name=opened.name, own=opened.path, q=q, error=error, text=text,
        items=rows[:_PAGE], forms=FORMATS, kept=urlencode({"q": q}),
        further=rows[_PAGE - 1].id if len(rows) > _PAGE else None, begun=not after,
        done=_done(asked.get("done", "")), most=_SHOWN,
    )  # fmt: skip


def _whole(text: str) -> int | None:
    """A whole number that a database can take; None: it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None


def _done(text: str) -> str | None:
    """What became of the last form."""
    what, _, told = text.partition("-")
    if (count := _whole(told)) is None:
        return None
    number = f"{count:,}"
    if what == "put":
        return say("Stored: %(number)s.", number=number)
    return say("Deleted: %(number)s.", number=number) if what == "deleted" else None


def _asked(q: object) -> str:
    """A text of keys, the same in an address and in a form, which sends a line's end as two."""
    return re.sub(r"\r\n?", "\n", q)[:255] if isinstance(q, str) else ""


def _chosen(q: str, after: int = 0) -> store.Selection:
    """Keys that have a text; with `*`, that are like it."""
    pattern = None if not q else q if "*" in q else f"*{q}*"
    return store.Selection(pattern, (), _PAGE, after)


async def upload(request: Request) -> Response:
    """Store the items of a text: JSON, JSON Lines or CSV."""
    opened = await _open(request)
    if opened is None:
        return _none()
    given = await fields(request, "items", "form", most=opened.platform.settings.payload_bytes)
    try:
        form = given["form"] if given["form"] in FORMATS else FORMATS[0]
        pairs = await asyncio.to_thread(_read, given["items"], form)
    except HoldfastError as error:
        return await _items(request, error.message, given["items"])
    count, wrong = await put_all(opened.platform, opened.id, pairs)
    if wrong is not None:
        if count:
            wrong = say("Stored: %(number)s. Then: %(wrong)s", number=f"{count:,}", wrong=wrong)
        return await _items(request, wrong, given["items"])
    return RedirectResponse(f"{opened.path}?done=put-{count}", 303)


def _read(text: str, form: str) -> list[tuple[str, str]]:
    return list(read_items(io.StringIO(text), form))


async def download(request: Request) -> Response:
    """All items, or those whose keys `?q=` chooses, as JSON Lines, a piece at a time."""
    opened = await _open(request)
    if opened is None:
        return _none()
    here, q = opened, _asked(request.query_params.get("q"))

    async def pieces() -> AsyncIterator[str]:
        after = 0
        while rows := await here.platform.database.read(
            lambda c, after=after: store.piece(c, here.id, _chosen(q, after))  # type: ignore[misc]
        ):
            after = rows[-1].id
            yield "".join(
                json.dumps({"key": row.key, "value": value_of(row.value)}, ensure_ascii=False)
                + "\n"
                for row in rows
            )

    headers = {
        "cache-control": "no-store",
        "content-disposition": f"attachment; filename*=utf-8''{quote(here.name, safe='')}.jsonl",
    }
    return StreamingResponse(pieces(), media_type="application/jsonl", headers=headers)


async def remove_one(request: Request) -> Response:
    """Delete the item of this id: a form cannot send every key as it is."""
    opened = await _open(request)
    if opened is None:
        return _none()
    item = _whole((await fields(request, "item"))["item"])
    if item is None:
        return await _items(request, say("Nothing deleted: say which item."))
    one = store.Selection(None, (), 1, 0)
    count = await opened.platform.database.write(
        lambda tx: store.delete_some(tx, opened.id, [item], one)
    )
    return RedirectResponse(f"{opened.path}?done=deleted-{count}", 303)


async def clear(request: Request) -> Response:
    """Delete the items whose keys `q` chooses, as the list does; or, with `all`, all of them."""
    opened = await _open(request)
    if opened is None:
        return _none()
    async with request.form() as form:
        q, everything = _asked(form.get("q")), bool(form.get("all"))
    if bool(q) == everything:
        return await _items(request, say("Nothing deleted: say which items, or all."))
    count = await remove_items(opened.platform, opened.id, _chosen(q))
    return RedirectResponse(f"{opened.path}?done=deleted-{count}", 303)

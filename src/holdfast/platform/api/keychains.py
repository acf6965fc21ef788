"""Keychains over the API."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.model.json import JsonObject
from holdfast.platform.access import visit
from holdfast.platform.access.problems import AccessError
from holdfast.platform.api.accounts import project
from holdfast.platform.api.body import object_of, text
from holdfast.platform.api.credentials import short
from holdfast.platform.clock import iso
from holdfast.platform.secrets.matching import path_problem
from holdfast.platform.service import Platform
from holdfast.platform.store import keychains
from holdfast.platform.store.database import Row


def _view(row: Row) -> JsonObject:
    return {
        "id": row.id,
        "name": row.name,
        "path": row.path,
        "default_credential_id": row.default_credential_id,
        "inserted_at": iso(row.inserted_at),
        "updated_at": iso(row.updated_at),
    }


async def listed(request: Request) -> Response:
    """The keychains of a project."""
    platform: Platform = request.app.state.platform
    project_id = await project(request)
    rows = await platform.database.read(lambda c: keychains.listed(c, project_id))
    return JSONResponse({"data": [_view(row) for row in rows]})


async def put(request: Request) -> Response:
    """Make a keychain, or change the one of this name.

    `{"name", "path", "default_credential_id"?}`. The path is a JSONPath (RFC 9535) into the body
    of the run's input. A job with this keychain as its `keychain_credential_id` gets the
    credential whose `external_id` is the value found there; where none is, the default.
    """
    platform: Platform = request.app.state.platform
    project_id, asked = await project(request), await object_of(request)
    name, path = short(asked, "name"), text(asked, "path")
    if (problem := path_problem(path)) is not None:
        raise AccessError(problem)
    given = asked.get("default_credential_id")
    default = None if given is None else text(asked, "default_credential_id")
    visit.note(name=name, path=path)
    key = await platform.database.write(
        lambda tx: keychains.put(tx, project_id, name, path, default)
    )
    row = await platform.database.read(lambda c: keychains.find(c, key))
    assert row is not None
    return JSONResponse({"data": _view(row)}, 201)


async def remove(request: Request) -> Response:
    """Remove a keychain that no job uses."""
    platform: Platform = request.app.state.platform
    key = request.path_params["id"]
    row = await platform.database.read(lambda c: keychains.find(c, key))
    if row is None:
        message = "There is no such keychain."
        raise AccessError(message, 404)
    visit.note(name=row.name)
    await platform.database.write(lambda tx: keychains.remove(tx, key))
    return Response(status_code=204)

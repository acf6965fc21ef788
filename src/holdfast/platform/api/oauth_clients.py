"""Clients of OAuth 2 over the API: how providers know this platform."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.model.json import Json, JsonObject
from holdfast.platform.access import visit
from holdfast.platform.access.problems import AccessError
from holdfast.platform.api.body import object_of, text, words
from holdfast.platform.api.credentials import short
from holdfast.platform.clock import iso
from holdfast.platform.secrets.oauth import client_problem
from holdfast.platform.service import Platform
from holdfast.platform.store import oauth_clients
from holdfast.platform.store.database import Row


def _view(row: Row) -> JsonObject:
    return {
        "id": row.id,
        "name": row.name,
        "client_id": row.client_id,
        "has_secret": row.secret is not None,
        "token_endpoint": row.token_endpoint,
        "authorization_endpoint": row.authorization_endpoint,
        "scopes": list[Json](row.scopes.split()),
        "inserted_at": iso(row.inserted_at),
        "updated_at": iso(row.updated_at),
    }


async def listed(request: Request) -> Response:
    """The clients of OAuth 2 that credentials may use, without their secrets."""
    platform: Platform = request.app.state.platform
    rows = await platform.database.read(oauth_clients.listed)
    return JSONResponse({"data": [_view(row) for row in rows]})


async def put(request: Request) -> Response:
    """Make a client of OAuth 2, or change the one of this name.

    `{"name", "client_id", "client_secret"?, "token_endpoint", "authorization_endpoint"?,
    "scopes"?}`. The endpoints are https addresses, or of this machine. A secret that is left out
    stays as it is.
    """
    platform: Platform = request.app.state.platform
    asked = await object_of(request)
    name = short(asked, "name")
    secret = None if asked.get("client_secret") is None else text(asked, "client_secret")
    consent = asked.get("authorization_endpoint")
    values = {
        "client_id": text(asked, "client_id"),
        "token_endpoint": text(asked, "token_endpoint"),
        "authorization_endpoint": consent and text(asked, "authorization_endpoint"),
        "scopes": " ".join(words(asked, "scopes", [])),
    }
    if (problem := client_problem(values)) is not None:
        raise AccessError(problem)
    visit.note(name=name, token_endpoint=values["token_endpoint"])
    key = await platform.database.write(
        lambda tx: oauth_clients.put(tx, platform.keys, name, secret=secret, **values)
    )
    row = await platform.database.read(lambda c: oauth_clients.find(c, key))
    assert row is not None
    return JSONResponse({"data": _view(row)}, 201)


async def remove(request: Request) -> Response:
    """Remove a client that no credential uses."""
    platform: Platform = request.app.state.platform
    key = request.path_params["id"]
    await platform.database.write(lambda tx: oauth_clients.remove(tx, key))
    return Response(status_code=204)

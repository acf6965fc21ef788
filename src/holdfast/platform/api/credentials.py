"""Credentials over the API: listed without secrets, set for an environment, changed, deleted."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.model.json import Json, JsonObject
from holdfast.platform.access import visit
from holdfast.platform.access.guard import refusal
from holdfast.platform.access.policy import Action, decide
from holdfast.platform.access.problems import AccessError
from holdfast.platform.api import views
from holdfast.platform.api.accounts import project
from holdfast.platform.api.body import object_of, text
from holdfast.platform.api.reads import listed
from holdfast.platform.project.rules import ENVIRONMENT, ENVIRONMENT_WORDS
from holdfast.platform.secrets import fields, schemas
from holdfast.platform.secrets.oauth import dated
from holdfast.platform.service import Platform
from holdfast.platform.store import catalog, credentials, oauth_clients
from holdfast.platform.store.belonging import project_of
from holdfast.platform.store.credentials import Place
from holdfast.platform.store.database import Row, Transaction

_LONGEST = 255
_NONE = "There is no such credential."


class BadBodyError(AccessError):
    """The values do not fit the schema. `errors`: what is wrong with each key."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        told = [f"{path} {text}" for path, texts in errors.items() for text in texts]
        super().__init__("; ".join(told))
        self.errors = errors


async def list_credentials(request: Request) -> Response:
    """Names, schemas and environments of credentials. Their secrets are never returned."""
    names, times = ("project_id", "name", "schema"), ("inserted", "updated")
    return await listed(request, catalog.list_credentials, views.credential, names, times)


async def credential(request: Request) -> Response:
    """A credential without its secrets."""
    return JSONResponse({"data": views.credential(await _row(request))})


async def _shown(platform: Platform, key: str) -> JsonObject:
    row = await platform.database.read(lambda c: credentials.find(c, key))
    return views.credential(row)


async def set_credential(request: Request) -> Response:
    """Make a credential, or set its values for an environment.

    `{"name", "owner"?, "schema"?, "body": {…}, "environment"?, "external_id"?,
    "oauth_client_id"?}`. The values must fit the schema, by default `raw`, which takes everything.
    Without `environment` they are for the one of the project. With an OAuth client the token in
    the values is renewed.
    """
    asked = await object_of(request)
    return await _set(request, await project(request), asked)


async def set_credential_of(request: Request) -> Response:
    """Make a credential in the project that the body names with `project_id`.

    As for `POST /api/projects/:project_id/credentials`.
    """
    platform: Platform = request.app.state.platform
    asked = await object_of(request)
    wanted = text(asked, "project_id")
    project_id = await platform.database.read(lambda c: project_of(c, "project", wanted))
    visit.note(project_id)
    verdict = decide(visit.subject(), Action.MANAGE, project_id)
    if project_id is None or not verdict.allowed:
        return refusal(request, verdict)
    return await _set(request, project_id, asked)


async def _set(request: Request, project_id: str, asked: dict[str, Any]) -> Response:
    platform: Platform = request.app.state.platform
    name, owner = short(asked, "name"), short(asked, "owner", "")
    known = await platform.database.read(lambda c: credentials.named(c, project_id, owner, name))
    changes = await _changes(platform, asked)
    schema = changes.get("schema") or (known.schema if known is not None else schemas.RAW)
    body = await checked_body(platform, schema, asked)
    where = _environment(asked)
    visit.note(name=name, owner=owner, schema=schema, environment=where)
    key = await platform.database.write(
        lambda tx: credentials.put_credential(
            tx,
            platform.keys,
            project_id=project_id,
            name=name,
            owner=owner,
            body=body,
            environment=where,
            **changes,
        )
    )
    return JSONResponse({"data": await _shown(platform, key)}, 201)


async def change_credential(request: Request) -> Response:
    """Change a credential: its name and other members, or the `body` of an `environment`.

    What is not sent stays as it is.
    """
    platform: Platform = request.app.state.platform
    row, asked = await _row(request), await object_of(request)
    changes = await _changes(platform, asked)
    changes |= {name: short(asked, name) for name in ("name",) if name in asked}
    changes |= {name: short(asked, name, "") for name in ("owner",) if name in asked}
    schema = changes.get("schema", row.schema)
    body = await checked_body(platform, schema, asked) if "body" in asked else None
    where = _environment(asked)
    visit.note(name=row.name, changed=sorted({*changes, *({"body"} & set(asked))}))

    def work(tx: Transaction) -> None:
        credentials.change(tx, row.id, **changes)
        if body is not None:
            own = credentials.environment_of(tx.connection, row.project_id)
            credentials.put_body(tx, platform.keys, Place(row.id, where or own), body)

    await platform.database.write(work)
    return JSONResponse({"data": await _shown(platform, row.id)})


async def delete_credential(request: Request) -> Response:
    """Delete a credential that nothing uses; with `environment` only its values for that one."""
    platform: Platform = request.app.state.platform
    row, where = await _row(request), request.query_params.get("environment")
    visit.note(name=row.name, environment=where)
    if where is not None:
        place = Place(row.id, where)
        if not await platform.database.write(lambda tx: credentials.remove_body(tx, place)):
            message = f"The credential has no value for the environment {where!r}."
            raise AccessError(message, 404)
        return Response(status_code=204)
    used = await platform.database.write(lambda tx: credentials.delete_credential(tx, row.id))
    if used:
        message = f"In use: {'; '.join(used)}"
        raise AccessError(message, 409)
    return Response(status_code=204)


async def _row(request: Request) -> Row:
    """Raises AccessError."""
    platform: Platform = request.app.state.platform
    key = request.path_params["id"]
    row = await platform.database.read(lambda c: credentials.find(c, key))
    if row is None:
        raise AccessError(_NONE, 404)
    return row


async def _changes(platform: Platform, asked: dict[str, Any]) -> dict[str, Any]:
    """Columns of a credential that the body names, apart from its name. Raises AccessError."""
    changes: dict[str, Any] = {}
    if asked.get("schema") is not None:
        changes["schema"] = (await schema_of(platform, text(asked, "schema"))).name
    if "external_id" in asked:
        given = asked["external_id"]
        changes["external_id"] = None if given is None else short(asked, "external_id")
    if "oauth_client_id" in asked:
        changes["oauth_client_id"] = await _client(platform, asked)
    return changes


async def _client(platform: Platform, asked: dict[str, Any]) -> str | None:
    """The id of an OAuth client that there is; None: none. Raises AccessError."""
    if asked["oauth_client_id"] is None:
        return None
    key = text(asked, "oauth_client_id")
    if await platform.database.read(lambda c: oauth_clients.find(c, key)) is None:
        message = "oauth_client_id: there is no such client"
        raise AccessError(message)
    return key


def short(asked: dict[str, Any], name: str, default: str | None = None) -> str:
    """A text of at most 255 characters. Raises AccessError."""
    if default is not None and asked.get(name) == default:
        return default
    value = text(asked, name, default)
    if len(value) > _LONGEST:
        message = f"{name} may have {_LONGEST} characters"
        raise AccessError(message)
    return value


def _environment(asked: dict[str, Any]) -> str | None:
    """Raises AccessError."""
    if asked.get("environment") is None:
        return None
    value = text(asked, "environment")
    if not ENVIRONMENT.fullmatch(value):
        message = f"environment must be {ENVIRONMENT_WORDS}"
        raise AccessError(message)
    return value


async def checked_body(platform: Platform, schema: str, asked: dict[str, Any]) -> JsonObject:
    """The values, which fit their schema. Raises AccessError."""
    body = asked.get("body")
    if not isinstance(body, dict):
        message = "body must be an object with the values of the credential"
        raise AccessError(message)
    found = await schema_of(platform, schema)
    try:
        wrong = await asyncio.to_thread(found.problems, body)
    except schemas.SchemaError as error:
        raise AccessError(error.message) from error
    if wrong:
        raise BadBodyError(wrong)
    return dated(body, time.time()) if schema == schemas.OAUTH else body


async def schema_of(platform: Platform, name: str) -> schemas.Schema:
    """The schema of this name. Raises AccessError."""
    try:
        return await platform.schema(name)
    except schemas.SchemaError as error:
        raise AccessError(error.message) from error


async def list_schemas(request: Request) -> Response:
    """Names of the schemas of credentials that are known here.

    Those of adaptors that are not installed yet can be asked for by name, too.
    """
    platform: Platform = request.app.state.platform
    names: list[Json] = list(await platform.schema_names())
    return JSONResponse({"data": names})


async def schema(request: Request) -> Response:
    """A schema of credentials, and the fields of a form for it."""
    platform: Platform = request.app.state.platform
    try:
        found = await schema_of(platform, request.path_params["name"])
    except AccessError as error:
        raise AccessError(error.message, 404) from error
    body: JsonObject = {
        "name": found.name,
        "adaptor": found.adaptor,
        "schema": found.document,
        "fields": [field.shown() for field in fields.fields_of(found)],
    }
    return JSONResponse({"data": body})

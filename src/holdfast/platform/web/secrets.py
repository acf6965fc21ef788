"""Pages of a project's secrets: credentials, tokens for programs, keys of webhooks."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from holdfast.diagnosis.adaptors import ADAPTORS
from holdfast.model.json import JsonObject
from holdfast.model.request_body import parse_request
from holdfast.platform.access import visit
from holdfast.platform.access.policy import Role, Scope
from holdfast.platform.access.problems import AccessError
from holdfast.platform.access.webhook_keys import API_KEY, BASIC, HMAC
from holdfast.platform.clock import SECOND, now
from holdfast.platform.project.access import key_problems
from holdfast.platform.project.rules import ENVIRONMENT, ENVIRONMENT_WORDS
from holdfast.platform.secrets import schemas
from holdfast.platform.secrets.fields import body_of, fields_of
from holdfast.platform.secrets.schemas import SchemaError
from holdfast.platform.service import Platform
from holdfast.platform.store import api_tokens, catalog, credentials, oauth_clients, webhook_keys
from holdfast.platform.store.database import Connection, Row, Transaction
from holdfast.platform.store.lists import Chosen
from holdfast.platform.web.account import LIFETIMES, fields
from holdfast.platform.web.language import say
from holdfast.platform.web.project import missing, named_project
from holdfast.platform.web.render import page
from holdfast.platform.web.sealed_cookie import BACK, address_of
from holdfast.platform.web.tested import read_tested, try_connection

_DAY = 24 * 3600
_MOST = 1000
_SHORTEST_PASSWORD = 10
#: Adaptors that take none.
WITHOUT_CREDENTIAL = {"collections", "common", "template"}
#: What a token of a project may be.
_ROLES = (Role.VIEWER, Role.EDITOR, Role.ADMIN)


def secret_routes() -> list[BaseRoute]:
    """The pages and their forms."""
    own = "/projects/{project_id}"
    return [
        Route(f"{own}/credentials", show_credentials),
        Route(f"{own}/credentials", set_credential, methods=["POST"]),
        Route(f"{own}/credentials/{{id}}/remove", remove_credential, methods=["POST"]),
        Route(f"{own}/credentials/{{id}}/test", try_connection, methods=["POST"]),
        Route(f"{own}/keys", show_keys),
        Route(f"{own}/tokens", add_token, methods=["POST"]),
        Route(f"{own}/tokens/{{id}}/revoke", revoke_token, methods=["POST"]),
        Route(f"{own}/webhook_keys", set_key, methods=["POST"]),
        Route(f"{own}/webhook_keys/{{name}}/remove", remove_key, methods=["POST"]),
    ]


async def show_credentials(request: Request) -> Response:
    return await credentials_page(request)


async def credentials_page(request: Request, *, error: str = "") -> Response:
    """The page of a project's credentials. `?schema=` chooses the form, `?tested=` a test."""
    platform: Platform = request.app.state.platform
    project_id, project = await named_project(request)
    if not project:
        return missing()
    chosen = Chosen({"project_id": project_id}, {}, {}, _MOST, 0, None)
    listed = await platform.database.read(lambda c: catalog.list_credentials(c, chosen))
    run_id = request.query_params.get("tested", "")
    name = request.query_params.get("schema") or schemas.RAW
    try:
        schema = await platform.schema(name)
    except SchemaError as problem:
        error, schema = error or problem.message, await platform.schema(schemas.RAW)
    return page(
        "credentials.html",
        status=422 if error else 200,
        project_id=project_id,
        project=project,
        credentials=listed.rows,
        environment=await platform.database.read(
            lambda c: credentials.environment_of(c, project_id)
        ),
        schema=schema,
        fields=fields_of(schema),
        names=sorted({*await platform.schema_names(), *ADAPTORS} - WITHOUT_CREDENTIAL),
        clients=[
            client
            for client in await platform.database.read(oauth_clients.listed)
            if client.authorization_endpoint is not None
        ],
        back=address_of(request, BACK),
        tested=run_id
        and await platform.database.read(lambda c: read_tested(c, project_id, run_id)),
        asked=run_id,
        error=error,
    )


async def set_credential(request: Request) -> Response:
    """Make a credential or set its values, from the fields of its schema or as JSON."""
    platform: Platform = request.app.state.platform
    project_id, project = await named_project(request)
    if not project:
        return missing()
    given = await fields(request, "name", "owner", "environment", "json")
    where = given["environment"]
    try:
        if not 0 < len(given["name"]) <= 255 or len(given["owner"]) > 255:
            text = say("A credential needs a name.")
            raise AccessError(text)
        if where and not ENVIRONMENT.fullmatch(where):
            text = say("An environment must be %(value)s.", value=ENVIRONMENT_WORDS)
            raise AccessError(text)
        schema = await platform.schema(request.query_params.get("schema") or schemas.RAW)
        body = await _body(request, schema, given["json"])
        wrong = await asyncio.to_thread(schema.problems, body)
        if wrong:
            told = [f"{path} {text}" for path, texts in wrong.items() for text in texts]
            raise AccessError("; ".join(told).replace("body.", ""))
    except (AccessError, SchemaError) as error:
        return await credentials_page(request, error=error.message)
    visit.note(name=given["name"], owner=given["owner"], schema=schema.name)
    await platform.database.write(
        lambda tx: credentials.put_credential(
            tx,
            platform.keys,
            project_id=project_id,
            name=given["name"],
            owner=given["owner"],
            body=body,
            environment=where or None,
            schema=schema.name,
        )
    )
    return RedirectResponse(f"/projects/{project_id}/credentials", 303)


async def _body(request: Request, schema: schemas.Schema, raw: str) -> JsonObject:
    """The values that the form was filled with. Raises AccessError."""
    form = fields_of(schema)
    try:
        if form:
            return body_of(form, await fields(request, *(field.key for field in form)))
        value = parse_request(raw or "{}")
    except ValueError as error:
        raise AccessError(str(error) if form else say("The values are not JSON.")) from error
    if not isinstance(value, dict):
        text = say("The values must be a JSON object.")
        raise AccessError(text)
    return value


async def remove_credential(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    project_id, _ = await named_project(request)
    key = request.path_params["id"]
    row = await platform.database.read(lambda c: credentials.find(c, key))
    if row is not None and row.project_id == project_id:
        visit.note(name=row.name)
        used = await platform.database.write(lambda tx: credentials.delete_credential(tx, key))
        if used:
            return await credentials_page(
                request, error=say("In use: %(used)s", used="; ".join(used))
            )
    return RedirectResponse(f"/projects/{project_id}/credentials", 303)


async def show_keys(request: Request) -> Response:
    return await _keys(request)


async def _keys(
    request: Request, *, error: str = "", token: str = "", secret: str = "", status: int = 200
) -> Response:
    platform: Platform = request.app.state.platform
    project_id, project = await named_project(request)
    if not project:
        return missing()

    def read(connection: Connection) -> dict[str, Any]:
        keys = webhook_keys.listed(connection, platform.keys, project_id, now())
        return {"tokens": api_tokens.tokens_of(connection, project_id=project_id), "keys": keys}

    return page(
        "project_keys.html",
        status=422 if error else status,
        **await platform.database.read(read),
        project_id=project_id,
        project=project,
        now=now(),
        scopes=[scope for scope in Scope if scope in visit.subject().scopes],
        roles=_ROLES,
        kinds=(API_KEY, HMAC, BASIC),
        lifetimes=LIFETIMES,
        error=error,
        token=token,
        secret=secret,
    )


async def add_token(request: Request) -> Response:
    """A token of the project, shown on the page once."""
    platform: Platform = request.app.state.platform
    subject = visit.subject()
    project_id, project = await named_project(request)
    if not project:
        return missing()
    given = await fields(request, "name", "days", "role")
    async with request.form() as form:
        scopes = [Scope(str(value)) for value in form.getlist("scope") if value in set(Scope)]
    good = 0 < len(given["name"]) <= 255 and scopes and given["days"] in LIFETIMES
    if not good or given["role"] not in _ROLES or not subject.scopes.issuperset(scopes):
        text = say("A token needs a name, a role and at least one thing that it may do.")
        return await _keys(request, error=text)
    days = given["days"]
    visit.note(name=given["name"], scopes=sorted(scopes), role=given["role"])
    _, token = await platform.database.write(
        lambda tx: api_tokens.add_token(
            tx,
            name=given["name"],
            scopes=scopes,
            created_by=subject.name,
            project_id=project_id,
            role=Role(given["role"]),
            expires_at=now() + int(days) * _DAY * SECOND if days else None,
        )
    )
    return await _keys(request, token=token, status=201)


async def revoke_token(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    project_id, _ = await named_project(request)
    key = request.path_params["id"]
    row: Row | None = await platform.database.read(lambda c: api_tokens.find_token(c, key))
    if row is not None and row.user_id is None and row.project_id == project_id:
        visit.note(name=row.name)
        await platform.database.write(lambda tx: api_tokens.revoke(tx, key))
    return RedirectResponse(f"/projects/{project_id}/keys", 303)


async def set_key(request: Request) -> Response:
    """Make a key of a webhook, or give it a new secret, which the page shows once."""
    platform: Platform = request.app.state.platform
    project_id, _ = await named_project(request)
    given = await fields(request, "name", "type", "username", "password", "window")
    name, kind = given["name"], given["type"]
    for problem in key_problems({name: kind}):
        return await _keys(request, error=problem)
    secret = secrets.token_urlsafe(32)
    if kind == BASIC:
        if not given["username"] or ":" in given["username"]:
            return await _keys(request, error=say("A user name is needed, without a colon."))
        if len(given["password"]) < _SHORTEST_PASSWORD:
            text = say(
                "The password must have at least %(value)s characters.", value=_SHORTEST_PASSWORD
            )
            return await _keys(request, error=text)
        secret = f"{given['username']}:{given['password']}"
    window = int(given["window"]) if kind == HMAC and given["window"] in {"300", "3600"} else None

    def work(tx: Transaction) -> None:
        webhook_keys.put(
            tx, platform.keys, project_id, name, secret,
            kind=kind, window_seconds=window, keep_old_seconds=_DAY,
        )  # fmt: skip

    visit.note(name=name, type=kind, window_seconds=window)
    try:
        await platform.database.write(work)
    except AccessError as error:
        return await _keys(request, error=error.message)
    return await _keys(request, secret="" if kind == BASIC else secret, status=201)


async def remove_key(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    project_id, _ = await named_project(request)
    name = request.path_params["name"]
    visit.note(name=name)
    try:
        await platform.database.write(lambda tx: webhook_keys.remove(tx, project_id, name))
    except AccessError as error:
        return await _keys(request, error=error.message)
    return RedirectResponse(f"/projects/{project_id}/keys", 303)

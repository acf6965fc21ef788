"""Tokens and sessions over the API: one's own, and those that belong to a project."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.model.json import JsonObject
from holdfast.platform.access import visit
from holdfast.platform.access.policy import Role, Scope, Subject
from holdfast.platform.access.problems import AccessError
from holdfast.platform.api.accounts import project
from holdfast.platform.api.body import object_of, text, words
from holdfast.platform.clock import SECOND, iso, now
from holdfast.platform.service import Platform
from holdfast.platform.store import api_tokens, sessions
from holdfast.platform.store.belonging import project_of
from holdfast.platform.store.database import Row
from holdfast.platform.store.history_query import BadFilter, moment

#: What a token may do when nothing else is asked for: look.
_SCOPES = [Scope.READ.value]
_LONGEST = timedelta(days=3650)


def token_view(row: Row) -> JsonObject:
    """A token as lists show it: never itself."""
    return {
        "id": row.id,
        "name": row.name,
        "scopes": row.scopes.split(),
        "project_id": row.project_id,
        "role": row.role,
        "created_by": row.created_by,
        "inserted_at": iso(row.inserted_at),
        "expires_at": iso(row.expires_at),
        "last_used_at": iso(row.used_at),
        "revoked_at": iso(row.revoked_at),
    }


def asked_token(subject: Subject, asked: dict[str, Any]) -> dict[str, Any]:
    """Name, scopes and end of a new token: never more than its maker has. Raises AccessError."""
    try:
        scopes = frozenset(Scope(word) for word in words(asked, "scopes", _SCOPES))
    except ValueError as error:
        message = f"scopes are {', '.join(Scope)}"
        raise AccessError(message) from error
    if not scopes:
        message = "a token needs a scope"
        raise AccessError(message)
    if not scopes <= subject.scopes:
        message = "a token cannot make one that may do more"
        raise AccessError(message, 403)
    name = text(asked, "name")
    if len(name) > 255:
        message = "name may have 255 characters"
        raise AccessError(message)
    return {"name": name, "scopes": scopes, "expires_at": _end(asked.get("expires_at"))}


def _end(value: Any) -> int | None:
    """Raises AccessError."""
    if value is None:
        return None
    try:
        at = moment(value if isinstance(value, str) else "", "expires_at")
    except BadFilter as error:
        raise AccessError(error.message) from error
    if not now() < at < now() + int(_LONGEST.total_seconds()) * SECOND:
        message = "expires_at must be in the future, ten years at most"
        raise AccessError(message)
    return at


async def own_tokens(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    user_id = visit.subject().user_id
    rows = await platform.database.read(lambda c: api_tokens.tokens_of(c, user_id=user_id))
    return JSONResponse({"data": [token_view(row) for row in rows]})


async def add_own_token(request: Request) -> Response:
    """`POST /api/tokens` with `{"name", "scopes"?, "expires_at"?, "project"?}`. Shown once."""
    platform: Platform = request.app.state.platform
    subject = visit.subject()
    asked = await object_of(request)
    values = asked_token(subject, asked)
    named = asked.get("project")
    if named is not None:
        wanted = text(asked, "project")
        found = await platform.database.read(lambda c: project_of(c, "project", wanted))
        if found is None or subject.role_in(found) is None:
            message = "There is no such project."
            raise AccessError(message, 404)
        values["project_id"] = found
    return await _add(platform, subject, user_id=subject.user_id, **values)


async def project_tokens(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    project_id = await project(request)
    rows = await platform.database.read(lambda c: api_tokens.tokens_of(c, project_id=project_id))
    return JSONResponse({"data": [token_view(row) for row in rows]})


async def add_project_token(request: Request) -> Response:
    """`POST /api/projects/:project_id/tokens` with `{"name", "role"?, "scopes"?, "expires_at"?}`.

    The token belongs to the project, so it outlives the account of who made it.
    """
    platform: Platform = request.app.state.platform
    subject, project_id = visit.subject(), await project(request)
    asked = await object_of(request)
    values = asked_token(subject, asked)
    role = text(asked, "role", Role.EDITOR.value)
    if role not in {Role.VIEWER, Role.EDITOR, Role.ADMIN}:
        message = "role must be viewer, editor or admin"
        raise AccessError(message)
    return await _add(platform, subject, project_id=project_id, role=Role(role), **values)


async def _add(platform: Platform, subject: Subject, **values: Any) -> Response:
    visit.note(name=values["name"], scopes=sorted(values["scopes"]))
    key, token = await platform.database.write(
        lambda tx: api_tokens.add_token(tx, created_by=subject.name, **values)
    )
    row = await platform.database.read(lambda c: api_tokens.find_token(c, key))
    assert row is not None
    body = {"data": token_view(row), "token": token}
    return JSONResponse(body, 201, {"cache-control": "no-store"})


async def revoke_own_token(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    key, user_id = request.path_params["id"], visit.subject().user_id
    row = await platform.database.read(lambda c: api_tokens.find_token(c, key))
    return await _revoke(platform, row if row is not None and row.user_id == user_id else None)


async def revoke_project_token(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    key, project_id = request.path_params["id"], await project(request)
    row = await platform.database.read(lambda c: api_tokens.find_token(c, key))
    mine = row is not None and row.user_id is None and row.project_id == project_id
    return await _revoke(platform, row if mine else None)


async def _revoke(platform: Platform, row: Row | None) -> Response:
    """Raises AccessError."""
    if row is None:
        message = "There is no such token."
        raise AccessError(message, 404)
    visit.note(name=row.name)
    await platform.database.write(lambda tx: api_tokens.revoke(tx, row.id))
    return Response(status_code=204)


async def own_sessions(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    subject = visit.subject()
    user_id = subject.user_id or ""
    rows = await platform.database.read(lambda c: sessions.sessions_of(c, user_id, now()))
    data = [
        {
            "id": row.id,
            "current": row.id == subject.key_id,
            "agent": row.agent,
            "address": row.address,
            "inserted_at": iso(row.inserted_at),
            "last_seen_at": iso(row.seen_at),
            "expires_at": iso(row.expires_at),
        }
        for row in rows
    ]
    return JSONResponse({"data": data})


async def end_session(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    key, user_id = request.path_params["id"], visit.subject().user_id or ""
    if not await platform.database.write(lambda tx: sessions.end(tx, user_id, key)):
        message = "There is no such session."
        raise AccessError(message, 404)
    return Response(status_code=204)


async def end_sessions(request: Request) -> Response:
    """Log out everywhere."""
    platform: Platform = request.app.state.platform
    user_id = visit.subject().user_id or ""
    await platform.database.write(lambda tx: sessions.end(tx, user_id))
    return Response(status_code=204)

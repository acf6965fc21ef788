"""Accounts and members over the API."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.model.json import Json, JsonObject
from holdfast.platform.access import visit
from holdfast.platform.access.guard import SESSION, refusal
from holdfast.platform.access.policy import Role, may_give
from holdfast.platform.access.problems import AccessError
from holdfast.platform.access.sessions import LINK_SECONDS
from holdfast.platform.api.body import flag, object_of, text, texts
from holdfast.platform.clock import iso
from holdfast.platform.service import Platform
from holdfast.platform.store import accounts, sessions
from holdfast.platform.store.belonging import project_of
from holdfast.platform.store.database import Row

#: Members of an account that may be changed.
_CHANGEABLE = {"name", "email", "administrator", "disabled", "password"}
_NO_STORE = {"cache-control": "no-store"}


def user_view(row: Row) -> JsonObject:
    """An account as the API shows it; never its password."""
    return {
        "id": row.id,
        "email": row.email,
        "name": row.name,
        "administrator": row.administrator,
        "disabled": row.disabled_at is not None,
        "inserted_at": iso(row.inserted_at),
    }


async def me(_request: Request) -> Response:
    """`GET /api/me`: who the token or session is, and what it may do."""
    subject = visit.subject()
    body: JsonObject = {
        "kind": subject.kind.value,
        "name": subject.name,
        "user_id": subject.user_id,
        "administrator": subject.administrator,
        "roles": {key: role.value for key, role in subject.roles.items()},
        "scopes": list[Json](sorted(subject.scopes)),
    }
    return JSONResponse({"data": body})


async def users(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    rows = await platform.database.read(accounts.list_users)
    return JSONResponse({"data": [user_view(row) for row in rows]})


async def add_user(request: Request) -> Response:
    """`POST /api/users` with `{"email", "name"?, "administrator"?, "password"?}`.

    Without a password the answer has a path that logs the person in, once.
    """
    platform: Platform = request.app.state.platform
    asked = await object_of(request)
    email, name, password = text(asked, "email"), text(asked, "name", ""), asked.get("password")
    administrator = flag(asked, "administrator")
    visit.note(email=email, administrator=administrator)
    kept = None if password is None else await platform.passwords.hash(text(asked, "password"))
    key = await platform.database.write(
        lambda tx: accounts.add_user(
            tx, email=email, name=name, administrator=administrator, password=kept
        )
    )
    row = await platform.database.read(lambda c: accounts.find_user(c, key))
    assert row is not None
    invitation = {} if kept else await _link(platform, key)
    return JSONResponse({"data": user_view(row), **invitation}, 201, _NO_STORE)


async def _link(platform: Platform, user_id: str) -> JsonObject:
    code = await platform.sessions.link(user_id)
    return {"path": f"{SESSION}{code}", "expires_in_seconds": LINK_SECONDS}


async def user_link(request: Request) -> Response:
    """`POST /api/users/:id/links`: a path that logs this person in, once."""
    platform: Platform = request.app.state.platform
    row = await _user(request)
    return JSONResponse(await _link(platform, row.id), 201, _NO_STORE)


async def change_user(request: Request) -> Response:
    """`PATCH /api/users/:id`: `name`, `email`, `administrator`, `disabled`, `password`."""
    platform: Platform = request.app.state.platform
    row = await _user(request)
    asked = await object_of(request)
    values: dict[str, Any] = dict(texts(asked, "name", "email"))
    if "administrator" in asked:
        values["administrator"] = flag(asked, "administrator")
    if "password" in asked:
        values["password"] = await platform.passwords.hash(text(asked, "password"))
    disabled = flag(asked, "disabled") if "disabled" in asked else None
    visit.note(email=row.email, changed=sorted(set(asked) & _CHANGEABLE), disabled=disabled)
    await platform.database.write(
        lambda tx: accounts.change_user(
            tx,
            row.id,
            **values,
            **({} if disabled is None else {"disabled_at": tx.now if disabled else None}),
        )
    )
    if "password" in asked or disabled:
        await platform.database.write(lambda tx: sessions.end(tx, row.id))
    return JSONResponse({"data": user_view(await _user(request))})


async def _user(request: Request, parameter: str = "id") -> Row:
    """The account that this part of the path names by id or address. Raises AccessError."""
    platform: Platform = request.app.state.platform
    asked = request.path_params[parameter]
    row = await platform.database.read(lambda c: accounts.find_user(c, asked))
    if row is None:
        message = "There is no such account."
        raise AccessError(message, 404)
    return row


async def members(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    project_id = await project(request)
    rows = await platform.database.read(lambda c: accounts.members_of(c, project_id))
    data = [
        {"user_id": row.user_id, "name": row.name, "email": row.email, "role": row.role}
        for row in rows
    ]
    return JSONResponse({"data": data})


async def put_member(request: Request) -> Response:
    """`PUT /api/projects/:project_id/members/:user` with `{"role"}`; `user`: id or address."""
    platform: Platform = request.app.state.platform
    project_id, row = await project(request), await _user(request, "user")
    role = _role(text(await object_of(request), "role"))
    visit.note(email=row.email, role=role.value)
    had = await platform.database.read(lambda c: accounts.role_of(c, project_id, row.id))
    verdict = may_give(visit.subject(), project_id, role, had)
    if not verdict.allowed:
        return refusal(request, verdict)
    await platform.database.write(lambda tx: accounts.put_member(tx, project_id, row.id, role))
    return JSONResponse({"data": {"user_id": row.id, "role": role.value}})


async def remove_member(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    project_id, row = await project(request), await _user(request, "user")
    await platform.database.write(lambda tx: accounts.remove_member(tx, project_id, row.id))
    return Response(status_code=204)


async def project(request: Request) -> str:
    """The id of the project that the path names. Raises AccessError."""
    platform: Platform = request.app.state.platform
    asked = request.path_params["project_id"]
    found = await platform.database.read(lambda c: project_of(c, "project", asked))
    if found is None:
        message = "There is no such project."
        raise AccessError(message, 404)
    return found


def _role(name: str) -> Role:
    """Raises AccessError."""
    try:
        return Role(name)
    except ValueError as error:
        message = f"role must be one of {', '.join(Role)}"
        raise AccessError(message) from error

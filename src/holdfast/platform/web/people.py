"""Pages for administrators and for those who manage a project: accounts, and members."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from holdfast.platform.access import visit
from holdfast.platform.access.guard import SESSION, refusal
from holdfast.platform.access.policy import Role, may_give
from holdfast.platform.access.sessions import LINK_SECONDS
from holdfast.platform.service import Platform
from holdfast.platform.store import accounts
from holdfast.platform.store.accounts import AccountError
from holdfast.platform.store.belonging import project_of
from holdfast.platform.store.database import Connection
from holdfast.platform.web.account import fields
from holdfast.platform.web.language import say
from holdfast.platform.web.render import message, page


def people_routes() -> list[BaseRoute]:
    """The pages and their forms."""
    return [
        Route("/users", users),
        Route("/users", add_user, methods=["POST"]),
        Route("/users/{id}", change_user, methods=["POST"]),
        Route("/projects/{project_id}/members", members),
        Route("/projects/{project_id}/members", put_member, methods=["POST"]),
        Route("/projects/{project_id}/members/{user}/remove", remove_member, methods=["POST"]),
    ]


async def users(request: Request) -> Response:
    return await _users(request)


async def _users(
    request: Request, *, error: str = "", link: str = "", whose: str = ""
) -> Response:
    platform: Platform = request.app.state.platform
    rows = await platform.database.read(accounts.list_users)
    return page(
        "users.html",
        status=422 if error else 200,
        users=rows,
        own=visit.subject().user_id,
        error=error,
        link=link,
        whose=whose,
        minutes=int(LINK_SECONDS // 60),
    )


async def add_user(request: Request) -> Response:
    """A new account; the page shows a link that lets the person in to set a password."""
    platform: Platform = request.app.state.platform
    given = await fields(request, "email", "name", "administrator")
    administrator = bool(given["administrator"])
    visit.note(email=given["email"], administrator=administrator)
    try:
        key = await platform.database.write(
            lambda tx: accounts.add_user(
                tx,
                email=given["email"],
                name=given["name"],
                administrator=administrator,
                password=None,
            )
        )
    except AccountError as error:
        return await _users(request, error=error.message)
    return await _with_link(request, key, given["email"])


async def _with_link(request: Request, user_id: str, whose: str) -> Response:
    platform: Platform = request.app.state.platform
    code = await platform.sessions.link(user_id)
    base = str(platform.settings.public_url or request.base_url).rstrip("/")
    return await _users(request, link=f"{base}{SESSION}{code}", whose=whose)


async def change_user(request: Request) -> Response:
    """Disable or enable an account, make it an administrator or not, or make a link for it."""
    platform: Platform = request.app.state.platform
    key, what = request.path_params["id"], (await fields(request, "what"))["what"]
    row = await platform.database.read(lambda c: accounts.find_user(c, key))
    if row is None:
        return message(404, say("Not found"), say("There is no such account."))
    visit.note(email=row.email, what=what)
    if what == "link":
        return await _with_link(request, row.id, row.email or row.name)
    try:
        await platform.database.write(
            lambda tx: accounts.change_user(tx, row.id, **_CHANGES[what](tx.now))
        )
    except AccountError as error:
        return await _users(request, error=error.message)
    except KeyError:
        return message(422, say("Not changed"), say("There is no such change."))
    return RedirectResponse("/users", 303)


_CHANGES: dict[str, Any] = {
    "disable": lambda now: {"disabled_at": now},
    "enable": lambda _: {"disabled_at": None},
    "promote": lambda _: {"administrator": True},
    "demote": lambda _: {"administrator": False},
}


async def members(request: Request) -> Response:
    return await _members(request)


async def _members(request: Request, *, error: str = "") -> Response:
    platform: Platform = request.app.state.platform
    asked = request.path_params["project_id"]

    def read(connection: Connection) -> dict[str, Any]:
        project_id = project_of(connection, "project", asked) or ""
        names = {key: name for key, name in accounts.projects(connection) if key == project_id}
        rows = accounts.members_of(connection, project_id)
        return {"project_id": project_id, "project": names.get(project_id), "members": rows}

    found = await platform.database.read(read)
    if found["project"] is None:
        return message(404, say("Not found"), say("There is no such project."))
    status = 422 if error else 200
    return page("members.html", status=status, **found, roles=list(Role), error=error)


async def put_member(request: Request) -> Response:
    """Add a member, or give one another role."""
    platform: Platform = request.app.state.platform
    given = await fields(request, "email", "role")
    asked = request.path_params["project_id"]
    project_id = await platform.database.read(lambda c: project_of(c, "project", asked)) or ""
    row = await platform.database.read(lambda c: accounts.find_user(c, given["email"]))
    if row is None:
        return await _members(
            request, error=say("There is no such account. Ask an administrator.")
        )
    if given["role"] not in set(Role):
        return await _members(request, error=say("There is no such role."))
    role = Role(given["role"])
    visit.note(email=row.email, role=role.value)
    had = await platform.database.read(lambda c: accounts.role_of(c, project_id, row.id))
    verdict = may_give(visit.subject(), project_id, role, had)
    if not verdict.allowed:
        return refusal(request, verdict, message)
    try:
        await platform.database.write(lambda tx: accounts.put_member(tx, project_id, row.id, role))
    except AccountError as error:
        return await _members(request, error=error.message)
    return RedirectResponse(f"/projects/{project_id}/members", 303)


async def remove_member(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    asked, user = request.path_params["project_id"], request.path_params["user"]
    project_id = await platform.database.read(lambda c: project_of(c, "project", asked)) or ""
    try:
        await platform.database.write(lambda tx: accounts.remove_member(tx, project_id, user))
    except AccountError as error:
        return await _members(request, error=error.message)
    return RedirectResponse(f"/projects/{project_id}/members", 303)

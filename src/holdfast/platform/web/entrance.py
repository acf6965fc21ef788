"""Where people come in and go: login, one-time links, logout."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from holdfast.platform.access import guard, visit
from holdfast.platform.access.identity import cookie_name
from holdfast.platform.service import Platform
from holdfast.platform.store import sessions
from holdfast.platform.store.accounts import FIRST_ACCOUNT, find_user
from holdfast.platform.web.render import page

#: Where a login may lead: a page of ours, never `//host` or `/\\host`.
_OWN_PATH = re.compile(r"/([\w-][\w./-]*)?")
_WRONG = "This is not right. Check the e-mail address and the password."
_WRONG_TOKEN = "This is not the admin token."  # noqa: S105 - a text
_USED_LINK = "This link was used before, or is too old. Ask for a new one."


def entrance_routes() -> list[BaseRoute]:
    """Login and logout."""
    return [
        Route(guard.LOGIN, login, methods=["GET", "POST"]),
        Route(f"{guard.SESSION}{{code}}", follow_link, methods=["GET"]),
        Route("/logout", logout, methods=["POST"]),
    ]


async def login(request: Request) -> Response:
    """E-mail address and password, or the admin token, open a session."""
    if request.method != "POST":
        return _login_page()
    async with request.form() as form:
        given = {name: str(form.get(name) or "") for name in ("email", "password", "token")}
    if given["token"]:
        return await _by_admin_token(request, given["token"].strip())
    platform: Platform = request.app.state.platform
    email = given["email"].strip().lower()
    row = await platform.database.read(lambda c: find_user(c, email)) if "@" in email else None
    kept = None if row is None or row.disabled_at is not None else row.password
    if not await platform.passwords.is_right(kept, given["password"]) or row is None:
        return _login_page(_WRONG, email=email)
    return await _let_in(request, row.id)


async def _by_admin_token(request: Request, token: str) -> Response:
    platform: Platform = request.app.state.platform
    if not platform.keys.is_admin(token):
        return _login_page(_WRONG_TOKEN)
    return await _let_in(request, FIRST_ACCOUNT)


def _login_page(wrong: str = "", *, email: str = "") -> Response:
    return page("login.html", status=401 if wrong else 200, wrong=wrong, email=email)


async def follow_link(request: Request) -> Response:
    """A one-time link opens a session. Programs that only look (HEAD) do not use it up."""
    platform: Platform = request.app.state.platform
    if request.method != "GET":
        return Response(status_code=204)
    user_id = await platform.sessions.owner_of_link(request.path_params["code"])
    return _login_page(_USED_LINK) if user_id is None else await _let_in(request, user_id)


async def _let_in(request: Request, user_id: str) -> Response:
    """Go on to the page that was wanted, with the session's cookie."""
    platform: Platform = request.app.state.platform
    agent, address = request.headers.get("user-agent", ""), visit.current().address
    session = await platform.sessions.open(user_id, agent=agent, address=address)
    after = request.query_params.get("next", "/")
    answer = RedirectResponse(after if _OWN_PATH.fullmatch(after) else "/", 303)
    guard.set_cookie(request, answer, session)
    return answer


async def logout(request: Request) -> Response:
    """End this session, or with `everywhere` all of this account."""
    platform: Platform = request.app.state.platform
    subject = visit.subject()
    async with request.form() as form:
        everywhere = bool(form.get("everywhere"))
    user_id, key = subject.user_id or "", None if everywhere else subject.key_id or ""
    await platform.database.write(lambda tx: sessions.end(tx, user_id, key))
    answer = RedirectResponse(guard.LOGIN, 303)
    answer.delete_cookie(cookie_name(request))
    return answer

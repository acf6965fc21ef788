"""Where people come in and go: login, one-time links, logout."""

from __future__ import annotations

import re
import time

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from holdfast.platform.access import guard, record, visit
from holdfast.platform.access.identity import cookie_name
from holdfast.platform.access.policy import Kind
from holdfast.platform.service import Platform
from holdfast.platform.store import sessions
from holdfast.platform.store.accounts import FIRST_ACCOUNT, account, find_user
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
    if wait := _wait(platform, email):
        return _login_page(f"Too many tries. Try again in {wait} s.", email=email, wait=wait)
    row = await platform.database.read(lambda c: find_user(c, email)) if "@" in email else None
    kept = None if row is None or row.disabled_at is not None else row.password
    if not await platform.passwords.is_right(kept, given["password"]) or row is None:
        await _wrong(platform, email)
        return _login_page(_WRONG, email=email)
    return await _let_in(request, row.id)


async def _by_admin_token(request: Request, token: str) -> Response:
    platform: Platform = request.app.state.platform
    if wait := _wait(platform, "admin token"):
        return _login_page(f"Too many tries. Try again in {wait} s.", wait=wait)
    if not platform.keys.is_admin(token):
        await _wrong(platform, "admin token")
        return _login_page(_WRONG_TOKEN)
    return await _let_in(request, FIRST_ACCOUNT)


def _login_page(wrong: str = "", *, email: str = "", wait: int = 0) -> Response:
    status = 429 if wait else 401 if wrong else 200
    answer = page("login.html", status=status, wrong=wrong, email=email)
    if wait:
        answer.headers["retry-after"] = str(wait)
    return answer


def _wait(platform: Platform, name: str) -> int:
    """The seconds until this visitor may try this account again."""
    rates, address, now = platform.rates, visit.current().address, time.monotonic()
    return max(rates.logins.wait(f"{name} {address}", now), rates.addresses.wait(address, now))


async def _wrong(platform: Platform, name: str) -> None:
    """Count a wrong try, and write it down."""
    rates, address, now = platform.rates, visit.current().address, time.monotonic()
    rates.logins.take(f"{name} {address}", now)
    rates.addresses.take(address, now)
    known = "@" in name or name in {"link", "admin token"}  # else it may be a password
    visit.note(account=name[:255] if known else "no e-mail address")
    await record.write(platform, visit.current(), "login refused", 401)


async def follow_link(request: Request) -> Response:
    """A one-time link opens a session. Programs that only look (HEAD) do not use it up."""
    platform: Platform = request.app.state.platform
    if request.method != "GET":
        return Response(status_code=204)
    if wait := _wait(platform, "link"):
        return _login_page(f"Too many tries. Try again in {wait} s.", wait=wait)
    user_id = await platform.sessions.owner_of_link(request.path_params["code"])
    if user_id is None:
        await _wrong(platform, "link")
        return _login_page(_USED_LINK)
    return await _let_in(request, user_id)


async def _let_in(request: Request, user_id: str) -> Response:
    """Go on to the page that was wanted, with the session's cookie."""
    platform: Platform = request.app.state.platform
    agent, address = request.headers.get("user-agent", ""), visit.current().address
    subject = await platform.database.read(lambda c: account(c, user_id, Kind.SESSION, ""))
    if subject is None:
        return _login_page(_WRONG)
    session = await platform.sessions.open(user_id, agent=agent, address=address)
    await record.write(platform, visit.Visit(subject, address=address), "login")
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

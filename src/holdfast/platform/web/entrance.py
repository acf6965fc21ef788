"""Where people come in and go: login, one-time links, logout."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from holdfast.platform.access import guard, record, tries, visit
from holdfast.platform.access.identity import cookie_name
from holdfast.platform.access.policy import Kind
from holdfast.platform.service import Platform
from holdfast.platform.store import sessions
from holdfast.platform.store.accounts import FIRST_ACCOUNT, account, find_user
from holdfast.platform.web.language import later, say
from holdfast.platform.web.render import page

#: Where a login may lead: a page of ours, never `//host` or `/\\host`.
_OWN_PATH = re.compile(r"/([\w-][\w./-]*)?")
_WRONG = later("This is not right. Check the e-mail address and the password.")
_WRONG_TOKEN = later("This is not the admin token.")
_USED_LINK = later("This link was used before, or is too old. Ask for a new one.")


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
        return login_page(request)
    async with request.form() as form:
        given = {name: str(form.get(name) or "") for name in ("email", "password", "token")}
    if given["token"]:
        return await _by_admin_token(request, given["token"].strip())
    platform: Platform = request.app.state.platform
    email = given["email"].strip().lower()
    if wait := tries.begin(platform, email):
        return login_page(request, too_many(wait), email=email, wait=wait)
    row = await platform.database.read(lambda c: find_user(c, email)) if "@" in email else None
    kept = None if row is None or row.disabled_at is not None else row.password
    if not await platform.passwords.is_right(kept, given["password"]) or row is None:
        await note_wrong(platform, email)
        return login_page(request, say(_WRONG), email=email)
    tries.was_right(platform, email)
    return await let_in(request, row.id)


async def _by_admin_token(request: Request, token: str) -> Response:
    platform: Platform = request.app.state.platform
    if wait := tries.begin(platform, "admin token"):
        return login_page(request, too_many(wait), wait=wait)
    if not platform.keys.is_admin(token):
        await note_wrong(platform, "admin token")
        return login_page(request, say(_WRONG_TOKEN))
    tries.was_right(platform, "admin token")
    return await let_in(request, FIRST_ACCOUNT)


def login_page(request: Request, wrong: str = "", *, email: str = "", wait: int = 0) -> Response:
    """The page with the form, and what is wrong."""
    status = 429 if wait else 401 if wrong else 200
    platform: Platform = request.app.state.platform
    provider = platform.settings.oidc_name if platform.sign_on is not None else ""
    answer = page("login.html", status=status, wrong=wrong, email=email, provider=provider)
    if wait:
        answer.headers["retry-after"] = str(wait)
    return answer


def too_many(wait: int) -> str:
    """What is said to who has tried too often. `wait` in seconds."""
    return say("Too many tries. Try again in %(wait)s s.", wait=wait)


async def note_wrong(platform: Platform, name: str) -> None:
    """Write a wrong try down."""
    known = "@" in name or name in {
        "link",
        "admin token",
        "single sign-on",
    }  # else it may be a password
    visit.note(account=name[:255] if known else "no e-mail address")
    await record.write(platform, visit.current(), "login refused", 401)


async def follow_link(request: Request) -> Response:
    """A one-time link opens a session. Programs that only look (HEAD) do not use it up."""
    platform: Platform = request.app.state.platform
    if request.method != "GET":
        return Response(status_code=204)
    if wait := tries.begin(platform, "link"):
        return login_page(request, too_many(wait), wait=wait)
    user_id = await platform.sessions.owner_of_link(request.path_params["code"])
    if user_id is None:
        await note_wrong(platform, "link")
        return login_page(request, say(_USED_LINK))
    tries.was_right(platform, "link")
    return await let_in(request, user_id)


async def let_in(
    request: Request, user_id: str, after: str | None = None, *, from_elsewhere: bool = False
) -> Response:
    """Go on to the page that was wanted, with the session's cookie.

    `from_elsewhere`: another site has sent the person here. A browser would not send the new
    cookie along with a redirect then, but with what our own page leads to.
    """
    platform: Platform = request.app.state.platform
    agent, address = request.headers.get("user-agent", ""), visit.current().address
    subject = await platform.database.read(lambda c: account(c, user_id, Kind.SESSION, ""))
    if subject is None:
        return login_page(request, say(_WRONG))
    session = await platform.sessions.open(user_id, agent=agent, address=address)
    await record.write(platform, visit.Visit(subject, address=address), "login")
    after = request.query_params.get("next", "/") if after is None else after
    path = after if _OWN_PATH.fullmatch(after) else "/"
    answer: Response = RedirectResponse(path, 303)
    if from_elsewhere:
        answer = page("onward.html", title=say("You are logged in"), next=path)
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

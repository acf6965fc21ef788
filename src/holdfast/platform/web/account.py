"""The page of one's own account: name and password, sessions, tokens."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from holdfast.platform.access import tries, visit
from holdfast.platform.access.policy import Scope
from holdfast.platform.access.problems import AccessError
from holdfast.platform.clock import SECOND, now
from holdfast.platform.service import Platform
from holdfast.platform.store import accounts, api_tokens, sessions
from holdfast.platform.store.accounts import AccountError
from holdfast.platform.store.database import Connection
from holdfast.platform.web.language import Words, say
from holdfast.platform.web.render import page

_DAY = 24 * 3600 * SECOND
#: Days that a new token lasts, and what the page calls it.
LIFETIMES = Words({"30": "30 days", "90": "90 days", "365": "one year", "": "no end"})


def account_routes() -> list[BaseRoute]:
    """The page and its forms."""
    return [
        Route("/account", show),
        Route("/account", change, methods=["POST"]),
        Route("/account/password", change_password, methods=["POST"]),
        Route("/account/tokens", add_token, methods=["POST"]),
        Route("/account/tokens/{id}/revoke", revoke_token, methods=["POST"]),
        Route("/account/sessions/{id}/end", end_session, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    return await _show(request)


async def _show(
    request: Request, *, error: str = "", done: str = "", token: str = "", status: int = 200
) -> Response:
    platform: Platform = request.app.state.platform
    subject = visit.subject()
    user_id = subject.user_id or ""

    def read(connection: Connection) -> dict[str, Any]:
        return {
            "user": accounts.find_user(connection, user_id),
            "sessions": sessions.sessions_of(connection, user_id, now()),
            "tokens": api_tokens.tokens_of(connection, user_id=user_id),
        }

    found = await platform.database.read(read)
    return page(
        "account.html",
        status=status,
        **found,
        now=now(),
        own=subject.key_id,
        scopes=list(Scope),
        lifetimes=LIFETIMES,
        error=error,
        done=done,
        token=token,
    )


async def fields(request: Request, *names: str, most: int = 1 << 20) -> dict[str, str]:
    """Fields of a form, without space around them, `most` bytes each; missing ones are empty."""
    async with request.form(max_part_size=most) as form:
        return {name: str(form.get(name) or "").strip() for name in names}


async def change(request: Request) -> Response:
    """Name and e-mail address."""
    platform: Platform = request.app.state.platform
    given = await fields(request, "name", "email")
    user_id = visit.subject().user_id or ""
    values = {name: value for name, value in given.items() if value}
    visit.note(**values)
    try:
        await platform.database.write(lambda tx: accounts.change_user(tx, user_id, **values))
    except AccountError as error:
        return await _show(request, error=error.message, status=error.status)
    return await _show(request, done=say("Saved."))


async def change_password(request: Request) -> Response:
    """Needs the old one, if there is one. All other sessions end."""
    platform: Platform = request.app.state.platform
    subject = visit.subject()
    user_id = subject.user_id or ""
    async with request.form() as form:
        old, new, again = (str(form.get(name) or "") for name in ("old", "new", "again"))
    row = await platform.database.read(lambda c: accounts.find_user(c, user_id))
    assert row is not None
    if wait := tries.begin(platform, user_id):
        return await _show(
            request, error=say("Too many tries. Try again in %(wait)s s.", wait=wait), status=429
        )
    if row.password and not await platform.passwords.is_right(row.password, old):
        return await _show(request, error=say("This is not the old password."), status=422)
    tries.was_right(platform, user_id)
    if new != again:
        return await _show(request, error=say("The two new passwords differ."), status=422)
    try:
        kept = await platform.passwords.hash(new)
    except AccessError as error:
        return await _show(request, error=error.message, status=422)
    await platform.database.write(lambda tx: accounts.change_user(tx, user_id, password=kept))
    await platform.database.write(lambda tx: sessions.end(tx, user_id, but=subject.key_id))
    return await _show(request, done=say("The password is set. All other sessions have ended."))


async def add_token(request: Request) -> Response:
    """A token for a program, shown on this page once."""
    platform: Platform = request.app.state.platform
    subject = visit.subject()
    async with request.form() as form:
        name, days = (str(form.get(field) or "").strip() for field in ("name", "days"))
        scopes = [Scope(str(value)) for value in form.getlist("scope") if value in set(Scope)]
    if not 0 < len(name) <= 255 or not scopes or days not in LIFETIMES:
        text = say("A token needs a name and at least one thing that it may do.")
        return await _show(request, error=text, status=422)
    expires = now() + int(days) * _DAY if days else None
    visit.note(name=name, scopes=sorted(scopes))
    _, token = await platform.database.write(
        lambda tx: api_tokens.add_token(
            tx,
            name=name,
            scopes=scopes,
            created_by=subject.name,
            user_id=subject.user_id,
            expires_at=expires,
        )
    )
    return await _show(request, token=token, status=201)


async def revoke_token(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    key, user_id = request.path_params["id"], visit.subject().user_id
    row = await platform.database.read(lambda c: api_tokens.find_token(c, key))
    if row is not None and row.user_id == user_id:
        visit.note(name=row.name)
        await platform.database.write(lambda tx: api_tokens.revoke(tx, key))
    return RedirectResponse("/account#tokens", 303)


async def end_session(request: Request) -> Response:
    """One session, or with `all` every other one."""
    platform: Platform = request.app.state.platform
    key, subject = request.path_params["id"], visit.subject()
    user_id = subject.user_id or ""
    if key == "all":
        await platform.database.write(lambda tx: sessions.end(tx, user_id, but=subject.key_id))
    else:
        await platform.database.write(lambda tx: sessions.end(tx, user_id, key))
    return RedirectResponse("/account#sessions", 303)

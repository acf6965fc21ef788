"""Who asks: the admin token, a token of an account or a project, a run's token, or a session."""

from __future__ import annotations

import time

from starlette.requests import HTTPConnection

from holdfast.platform.access.address import sender_of
from holdfast.platform.access.policy import NOBODY, Kind, Role, Scope, Subject
from holdfast.platform.access.visit import Visit
from holdfast.platform.clock import now
from holdfast.platform.service import Platform
from holdfast.platform.store import api_tokens
from holdfast.platform.store.accounts import FIRST_ACCOUNT
from holdfast.platform.store.runs import find_run, is_live
from holdfast.protocol.tokens import TokenError, verify_run_token

#: Whoever can read the platform's folder is its administrator.
_ADMIN_TOKEN = Subject(Kind.TOKEN, "admin token", FIRST_ACCOUNT, administrator=True)


def bearer_of(request: HTTPConnection) -> str | None:
    """The token that the request carries."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if kind.lower() == "bearer" else None


def cookie_name(request: HTTPConnection) -> str:
    """Cookies do not know ports: without a name of its own, each platform would lose its own."""
    platform: Platform = request.app.state.platform
    if platform.settings.public_url is None:
        server = request.scope.get("server") or ("", 0)
        return f"holdfast-{server[1]}"
    return "__Host-holdfast" if platform.settings.secure else "holdfast"


async def identify(request: HTTPConnection) -> Visit:
    """Who asks, as far as the request proves it. A token counts before a session."""
    platform: Platform = request.app.state.platform
    address = address_of(request, platform.settings.proxies)
    if (token := bearer_of(request)) is not None:
        return Visit(await _by_token(platform, token) or NOBODY, address=address)
    session = request.cookies.get(cookie_name(request), "")
    found = await platform.sessions.subject(session)
    return Visit(NOBODY, address=address) if found is None else Visit(found, session, address)


async def _by_token(platform: Platform, token: str) -> Subject | None:
    if platform.keys.is_admin(token):
        return _ADMIN_TOKEN
    if not token.startswith(api_tokens.PREFIX):
        return None
    found = await platform.database.read(lambda c: api_tokens.subject_of(c, token, now()))
    if found is None:
        return None
    subject, stale = found
    if stale:
        platform.database.submit(lambda tx: api_tokens.used(tx, subject.key_id or ""))
    return subject


async def run_subject(platform: Platform, token: str) -> Subject | str:
    """The run whose token this is, while it is under way; else why it is not good."""
    try:
        verified = verify_run_token(token, platform.keys.run_public, time.time())
    except TokenError:
        return "Unauthorized"
    run = await platform.database.read(lambda c: find_run(c, verified.run_id))
    if run is None or run.claim_id != verified.claims.get("claim_id"):
        return "Unauthorized"
    if not is_live(run):
        return "Unauthorized: the run has ended"
    roles, scopes = {str(run.project_id): Role.OWNER}, frozenset({Scope.COLLECTIONS})
    return Subject(Kind.RUN, f"run {run.id}", roles=roles, scopes=scopes, key_id=run.id)


def address_of(request: HTTPConnection, proxies: tuple[str, ...]) -> str:
    """Where the request comes from. `X-Forwarded-For` is believed of a proxy that we know only."""
    address = request.client.host if request.client else ""
    return sender_of(address, request.headers.getlist("x-forwarded-for"), proxies)

"""The way to a provider of single sign-on and back (`access/single_sign_on.py`)."""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from holdfast import log
from holdfast.platform.access import tries
from holdfast.platform.access.keys import BadKeyError
from holdfast.platform.access.single_sign_on import SignOnError
from holdfast.platform.service import Platform
from holdfast.platform.store import identities
from holdfast.platform.store.accounts import AccountError
from holdfast.platform.web import entrance

_PATH = "/login/sso"
_BACK = f"{_PATH}/back"
_COOKIE = "holdfast-sign-on"
#: How long somebody may stay with the provider.
_SECONDS = 600
_FAILED = "The login with your organisation did not work. Try again, or ask an administrator."
_UNKNOWN = "There is no account for you here. Ask an administrator to make one."


def sign_on_routes() -> list[BaseRoute]:
    """There and back."""
    return [Route(_PATH, leave), Route(_BACK, come_back)]


def _back(request: Request) -> str:
    platform: Platform = request.app.state.platform
    base = str(platform.settings.public_url or request.base_url).rstrip("/")
    return f"{base}{_BACK}"


async def leave(request: Request) -> Response:
    """Send somebody to the provider. A sealed cookie keeps what their coming back is held to."""
    platform: Platform = request.app.state.platform
    if platform.sign_on is None:
        return entrance.login_page(request, _FAILED)
    try:
        begun = await platform.sign_on.begin(_back(request))
    except SignOnError as error:
        return _failed(request, error)
    kept = {
        "state": begun.state,
        "nonce": begun.nonce,
        "verifier": begun.verifier,
        "next": request.query_params.get("next", "/"),
        "until": time.time() + _SECONDS,
    }
    sealed = base64.urlsafe_b64encode(platform.keys.encrypt(json.dumps(kept))).decode()
    answer = RedirectResponse(begun.url, 303)
    # `strict` would keep it back when the provider sends the person here
    answer.set_cookie(
        _COOKIE, sealed, max_age=_SECONDS, path=_PATH, httponly=True,
        secure=platform.settings.secure, samesite="lax",
    )  # fmt: skip
    return answer


async def come_back(request: Request) -> Response:
    """Let in whom the provider knows and who has an account."""
    platform: Platform = request.app.state.platform
    kept = _kept(request)
    given, code = request.query_params.get("state", ""), request.query_params.get("code", "")
    if wait := tries.begin(platform, "single sign-on"):
        return entrance.login_page(request, entrance.too_many(wait), wait=wait)
    if platform.sign_on is None or kept is None or not code or not _same(kept["state"], given):
        await entrance.note_wrong(platform, "single sign-on")
        return entrance.login_page(request, _FAILED)
    try:
        who = await platform.sign_on.finish(
            _back(request), code, str(kept["nonce"]), str(kept["verifier"])
        )
    except SignOnError as error:
        await entrance.note_wrong(platform, "single sign-on")
        return _failed(request, error)
    make = platform.settings.oidc_accounts == "make"
    try:
        row = await platform.database.write(lambda tx: identities.account_of(tx, who, make=make))
    except AccountError:  # an address that we do not take
        row = None
    if row is None or row.disabled_at is not None:
        await entrance.note_wrong(platform, who.email or "single sign-on")
        return entrance.login_page(request, _UNKNOWN)
    tries.was_right(platform, "single sign-on")
    answer = await entrance.let_in(request, row.id, str(kept["next"]), from_elsewhere=True)
    answer.delete_cookie(_COOKIE, path=_PATH)
    return answer


def _same(kept: Any, given: str) -> bool:
    return hmac.compare_digest(str(kept).encode(), given.encode())


def _kept(request: Request) -> dict[str, Any] | None:
    """What was kept when this browser left; None when it did not, or too long ago."""
    platform: Platform = request.app.state.platform
    try:
        sealed = base64.urlsafe_b64decode(request.cookies.get(_COOKIE, ""))
        kept: dict[str, Any] = json.loads(platform.keys.decrypt(sealed))
    except (ValueError, BadKeyError):
        return None
    return kept if kept["until"] > time.time() else None


def _failed(request: Request, error: SignOnError) -> Response:
    log.warn("login.provider_failed", why=error.message)
    return entrance.login_page(request, _FAILED)

"""The way to a provider of single sign-on and back (`access/single_sign_on.py`)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from holdfast import log
from holdfast.platform.access import tries
from holdfast.platform.access.single_sign_on import SignOnError
from holdfast.platform.service import Platform
from holdfast.platform.store import identities
from holdfast.platform.store.accounts import AccountError
from holdfast.platform.web import entrance
from holdfast.platform.web.language import later, say
from holdfast.platform.web.sealed_cookie import SealedCookie, address_of, same

_PATH = "/login/sso"
_BACK = f"{_PATH}/back"
_COOKIE = SealedCookie("holdfast-sign-on", _PATH)
_FAILED = later(
    "The login with your organisation did not work. Try again, or ask an administrator."
)
_UNKNOWN = later("There is no account for you here. Ask an administrator to make one.")


def sign_on_routes() -> list[BaseRoute]:
    """There and back."""
    return [Route(_PATH, leave), Route(_BACK, come_back)]


async def leave(request: Request) -> Response:
    """Send somebody to the provider. A sealed cookie keeps what their coming back is held to."""
    platform: Platform = request.app.state.platform
    if platform.sign_on is None:
        return entrance.login_page(request, say(_FAILED))
    try:
        begun = await platform.sign_on.begin(address_of(request, _BACK))
    except SignOnError as error:
        return _failed(request, error)
    kept = {
        "state": begun.state,
        "nonce": begun.nonce,
        "verifier": begun.verifier,
        "next": request.query_params.get("next", "/"),
    }
    answer = RedirectResponse(begun.url, 303)
    _COOKIE.put(request, answer, kept)
    return answer


async def come_back(request: Request) -> Response:
    """Let in whom the provider knows and who has an account."""
    platform: Platform = request.app.state.platform
    kept = _COOKIE.read(request)
    given, code = request.query_params.get("state", ""), request.query_params.get("code", "")
    if wait := tries.begin(platform, "single sign-on"):
        return entrance.login_page(request, entrance.too_many(wait), wait=wait)
    if platform.sign_on is None or kept is None or not code or not same(kept["state"], given):
        await entrance.note_wrong(platform, "single sign-on")
        return entrance.login_page(request, say(_FAILED))
    try:
        who = await platform.sign_on.finish(
            address_of(request, _BACK), code, str(kept["nonce"]), str(kept["verifier"])
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
        return entrance.login_page(request, say(_UNKNOWN))
    tries.was_right(platform, "single sign-on")
    answer = await entrance.let_in(request, row.id, str(kept["next"]), from_elsewhere=True)
    _COOKIE.remove(answer)
    return answer


def _failed(request: Request, error: SignOnError) -> Response:
    log.warn("login.provider_failed", why=error.message)
    return entrance.login_page(request, say(_FAILED))

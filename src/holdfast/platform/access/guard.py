"""Who may see and change what.

Worker socket, webhooks and collections have keys of their own. For the rest:

| bound to | reading pages and API | changing through the API | through the page |
|---|---|---|---|
| this machine only | open | admin token | same origin |
| anything else | admin token or login | admin token | login and same origin |

Bound to this machine, a request must also name this machine (`Host`), so that a web site cannot
reach it by a name of its own (DNS rebinding). A public address (`HOLDFAST_PUBLIC_URL`) counts as
"anything else": there is a proxy in front.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from urllib.parse import quote, urlsplit

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from holdfast.platform.access.keys import Keys
from holdfast.platform.service import Platform
from holdfast.platform.settings import Settings

COOKIE = "holdfast"
LOGIN = "/login"
#: Paths with rules of their own, or none.
_APART = ("/i/", "/worker/", "/collections/", "/static/", LOGIN, "/health_check", "/ready")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def is_open(settings: Settings) -> bool:
    """Whether only this machine can come here, so that reading needs no login."""
    public = urlsplit(settings.public_url or "").hostname
    return settings.loopback and (public is None or _is_loopback(public))


def session(keys: Keys) -> str:
    """The value of the login cookie; it tells nothing about the token."""
    return hmac.new(keys.admin_token.encode(), b"session", hashlib.sha256).hexdigest()


class Access:
    """ASGI middleware: lets through, or answers 401, 403 or with the way to the login."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith(_APART):
            request = Request(scope)
            if (refusal := _judge(request)) is not None:
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _judge(request: Request) -> Response | None:
    platform: Platform = request.app.state.platform
    api = request.url.path.startswith("/api")
    if has_token(request, platform.keys):
        return None
    openly = is_open(platform.settings)
    if openly and not _is_loopback(request.url.hostname or ""):
        text = "This platform serves its own machine only. Set HOLDFAST_PUBLIC_URL to change that."
        return PlainTextResponse(text, 403)
    inside = openly or _has_cookie(request, platform.keys)
    if request.method in _SAFE:
        return None if inside else _unauthorized(request, api=api)
    if api or not inside:
        return _unauthorized(request, api=api)
    if not _same_origin(request):
        return PlainTextResponse("Refused: the request comes from another site.", 403)
    return None


def has_token(request: HTTPConnection, keys: Keys) -> bool:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return kind.lower() == "bearer" and keys.is_admin(token.strip())


def _has_cookie(request: Request, keys: Keys) -> bool:
    return hmac.compare_digest(request.cookies.get(COOKIE, "").encode(), session(keys).encode())


def _unauthorized(request: Request, *, api: bool) -> Response:
    if api:
        text = "Send the admin token: Authorization: Bearer <content of admin-token>."
        return JSONResponse(
            {"error": "Unauthorized", "message": text}, 401, {"www-authenticate": "Bearer"}
        )
    return RedirectResponse(f"{LOGIN}?next={quote(request.url.path)}", 303)


def _same_origin(request: Request) -> bool:
    """Browsers say where a request comes from; what says nothing is no browser's form."""
    if (site := request.headers.get("sec-fetch-site")) is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == request.headers.get("host")


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

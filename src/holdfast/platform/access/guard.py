"""Who may see and change what (`docs/platform.md`, "Who may come in").

Nothing is open because of where a request comes from: jobs and other programs run on this
machine, too. Webhooks, the worker socket and Collections have keys of their own. Everything else
needs the admin token, or for pages and for reading the session of a person who has logged in. A
route that is not named here needs them.
"""

from __future__ import annotations

import hmac
from urllib.parse import parse_qs, quote

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdfast.platform.access import sessions
from holdfast.platform.access.address import host_of, is_forwarded, is_loopback, same_site
from holdfast.platform.access.keys import Keys
from holdfast.platform.service import Platform
from holdfast.platform.settings import Settings

LOGIN = "/login"
SESSION = "/session/"
#: Open to everybody who knows the way here; they show and change nothing of a project.
_OPEN = ("/static/", "/health_check", "/ready")
#: They ask for keys of their own.
_KEYED = ("/i/", "/worker/", "/collections/")
#: Where a person comes in.
_ENTRANCES = (LOGIN, SESSION)
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_NO_HOST = "The request does not say in one plain Host header which address it was sent to."
_LOCAL_ONLY = "This platform serves its own machine only. Set HOLDFAST_PUBLIC_URL to change that."
_FORM = "application/x-www-form-urlencoded"


class Guard:
    """ASGI middleware: lets through, or answers 400, 401, 403 or with the way to the login."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        refusal, receive = await _judge(request, receive)
        await (refusal or self._app)(scope, receive, send)


async def _judge(request: Request, receive: Receive) -> tuple[Response | None, Receive]:
    """Why the request is refused, and where its body is to be read from."""
    sessions.enter("")
    if (refusal := _misdirected(request)) is not None or not _needs_session(request):
        return refusal, receive
    return await _judge_session(request, receive)


def _misdirected(request: Request) -> Response | None:
    """Refuses what was not sent to an address of ours, by a browser that was led here."""
    platform: Platform = request.app.state.platform
    if (host := host_of(request.headers)) is None:
        return PlainTextResponse(_NO_HOST, 400)
    if _is_below(request.scope["path"], _OPEN + _KEYED) or has_token(request, platform.keys):
        return None
    if not _meant_for_us(host, request.headers, platform.settings):
        return PlainTextResponse(_LOCAL_ONLY, 403)
    return None


def _needs_session(request: Request) -> bool:
    platform: Platform = request.app.state.platform
    if _is_below(request.scope["path"], _OPEN + _KEYED + _ENTRANCES):
        return False
    return not has_token(request, platform.keys)


async def _judge_session(request: Request, receive: Receive) -> tuple[Response | None, Receive]:
    """Reading needs a session. Forms need its number, too; the API is changed with a token."""
    platform: Platform = request.app.state.platform
    api, reading = _is_below(request.scope["path"], ("/api/",)), request.method in _SAFE
    session = request.cookies.get(cookie_name(request), "")
    if not await platform.sessions.is_open(session) or (api and not reading):
        return _unauthorized(request, api=api), receive
    sessions.enter(session)
    return (None, receive) if reading else await _judge_form(request, session)


async def _judge_form(request: Request, session: str) -> tuple[Response | None, Receive]:
    """A form must be one of ours: sent by this site, with the number that we put into it."""
    platform: Platform = request.app.state.platform
    refusal = PlainTextResponse("Refused: the form is not from a page of this session.", 403)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        return refusal, request.receive
    body = await request.body()
    given = parse_qs(body.decode("utf-8", "replace")).get(sessions.FORM_FIELD, [""])[0]
    good = hmac.compare_digest(given.encode(), sessions.form_token(session).encode())
    if not good or not same_site(request.headers, platform.settings.public_url):
        return refusal, request.receive
    return None, _again(body, request.receive)


def _again(body: bytes, receive: Receive) -> Receive:
    """A body that was read already, to be read once more."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def has_token(request: HTTPConnection, keys: Keys) -> bool:
    """Whether the request carries the admin token."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return kind.lower() == "bearer" and keys.is_admin(token.strip())


def cookie_name(request: HTTPConnection) -> str:
    """Cookies do not know ports: without a name of its own, each platform would lose its own."""
    platform: Platform = request.app.state.platform
    if platform.settings.public_url is None:
        server = request.scope.get("server") or ("", 0)
        return f"holdfast-{server[1]}"
    return "__Host-holdfast" if platform.settings.secure else "holdfast"


def set_cookie(request: Request, answer: Response, session: str) -> None:
    """Let the browser keep the session."""
    platform: Platform = request.app.state.platform
    answer.set_cookie(
        cookie_name(request),
        session,
        max_age=int(platform.sessions.seconds),
        httponly=True,
        secure=platform.settings.secure,
        samesite="strict",
    )


def _is_below(path: str, places: tuple[str, ...]) -> bool:
    """Whether a path is one of these, or below one that ends with a slash."""
    return any(path == place or (place[-1] == "/" and path.startswith(place)) for place in places)


def _meant_for_us(host: str, headers: Headers, settings: Settings) -> bool:
    """Without a public address and bound to this machine, nothing else has business here.

    A web site could otherwise reach us by a name of its own (DNS rebinding), and a forgotten
    proxy would hand the login page to everybody.
    """
    if settings.public_url is not None or not settings.loopback:
        return True
    return is_loopback(host) and not is_forwarded(headers)


def _unauthorized(request: Request, *, api: bool) -> Response:
    if api:
        text = "Send the admin token: Authorization: Bearer <content of admin-token>."
        return JSONResponse(
            {"error": "Unauthorized", "message": text}, 401, {"www-authenticate": "Bearer"}
        )
    return RedirectResponse(f"{LOGIN}?next={quote(request.scope['path'])}", 303)

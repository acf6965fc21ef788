"""Lets a request through or refuses it (`docs/access.md`).

Nothing is open because of where a request comes from: jobs and other programs run on this
machine, too. What a route needs stands in `doors.py`, who may do it is decided by `policy.py`.
"""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Callable
from urllib.parse import quote, unquote_plus

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdfast.platform.access import visit
from holdfast.platform.access.address import (
    counted_as,
    host_of,
    is_forwarded,
    is_loopback,
    same_site,
)
from holdfast.platform.access.doors import DOORS, Door, Way, door_of
from holdfast.platform.access.identity import cookie_name, identify
from holdfast.platform.access.policy import Kind, Reason, Subject, Verdict, decide
from holdfast.platform.access.record import is_recorded, recording
from holdfast.platform.service import Platform
from holdfast.platform.settings import Settings
from holdfast.platform.store.belonging import project_of

LOGIN = "/login"
SESSION = "/session/"
#: They show nothing of a project, or have keys of their own.
_EVERYBODY = frozenset({Way.OPEN, Way.WEBHOOK, Way.WORKER})
#: Their handlers take tokens only, those of runs, too.
_COLLECTIONS = "/collections/"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_NO_HOST = "The request does not say in one plain Host header which address it was sent to."
_LOCAL_ONLY = "This platform serves its own machine only. Set HOLDFAST_PUBLIC_URL to change that."
_FOREIGN = "Refused: the form is not from a page of this platform."
_FORM = "application/x-www-form-urlencoded"
_TOKEN = re.compile(rb"(?:^|&)%s=([^&]*)" % visit.FORM_FIELD.encode())


#: Why a request is refused: an answer, or what the policy said; None: it is not.
_Refused = Response | Verdict | None
#: A page that says why: status, title, text.
Show = Callable[[int, str, str], Response]
#: Who has no key here is answered 401, and not sent to the login page.
_FOR_PROGRAMS = ("/api/", "/metrics")


class Guard:
    """ASGI middleware: lets through, or answers 400, 401, 403, 404 or with the login's address."""

    def __init__(self, app: ASGIApp, show: Show) -> None:
        self._app = app
        self._show = show

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit.enter(visit.Visit())
        request = Request(scope, receive)
        found = door_of(request.app.routes, scope)
        refused, receive = await _judge(request, receive, found)
        if isinstance(refused, Verdict):
            refused = refusal(request, refused, self._show)
        visitor = visit.current()
        if found is not None and is_recorded(found[0], DOORS[found[0]], visitor):
            visit.note(**{name: value for name, value in found[1].items() if name != "project_id"})
            send = recording(request.app.state.platform, visitor, found[0], send)
        await (refused or self._app)(scope, receive, send)


async def _judge(
    request: Request, receive: Receive, found: tuple[str, dict[str, str]] | None
) -> tuple[_Refused, Receive]:
    """Why the request is refused, or None; and where its body is to be read from."""
    platform: Platform = request.app.state.platform
    if (host := host_of(request.headers)) is None:
        return PlainTextResponse(_NO_HOST, 400), receive
    door = None if found is None else DOORS[found[0]]
    if door is not None and door.way in _EVERYBODY:
        return None, receive
    visitor = await identify(request)
    visit.enter(visitor)
    keyed = visitor.subject.kind is Kind.TOKEN or request.scope["path"].startswith(_COLLECTIONS)
    if not keyed and not _meant_for_us(host, request.headers, platform.settings):
        return PlainTextResponse(_LOCAL_ONLY, 403), receive
    if wait := platform.rates.requests.take(_taker(visitor), time.monotonic()):
        return too_often(wait), receive
    if found is None or door is None:
        signed_in = visitor.subject.kind is not Kind.NOBODY
        return (None if signed_in else _sign_in(request)), receive
    return await _judge_door(request, receive, door, found[1])


def _taker(visitor: visit.Visit) -> str:
    """Whose requests are counted together."""
    subject = visitor.subject
    sender = counted_as(visitor.address)
    return sender if subject.kind is Kind.NOBODY else subject.key_id or subject.name


def too_often(wait: int) -> Response:
    """429, and when to come again."""
    body = {"error": "too_many_requests", "message": f"Too many requests. Try again in {wait} s."}
    return JSONResponse(body, 429, {"retry-after": str(wait)})


async def _judge_door(
    request: Request, receive: Receive, door: Door, named: dict[str, str]
) -> tuple[_Refused, Receive]:
    """Whether the visitor may do what is behind the door, and came in the way it wants."""
    visitor = visit.current()
    if door.way is Way.ENTRANCE:
        return _foreign(request), receive
    if door.way is Way.ASKS:
        return _unasked(request, door), receive
    reading, session = request.method in _SAFE, visitor.session
    if session and door.way is Way.API and not reading:
        return _sign_in(request), receive  # another site could have sent it
    verdict = await _verdict(request, visitor.subject, door, named)
    if not verdict.allowed:
        return verdict, receive
    if session and not reading:
        return await _judge_form(request, session)
    return None, receive


async def _verdict(
    request: Request, subject: Subject, door: Door, named: dict[str, str]
) -> Verdict:
    platform: Platform = request.app.state.platform
    assert door.action is not None
    if door.of is None or subject.kind is Kind.NOBODY:
        return decide(subject, door.action)
    kind, key = door.of, named.get("project_id") or named["id"]
    project_id = await platform.database.read(lambda c: project_of(c, kind, key))
    visit.note(project_id)
    if project_id is None and subject.administrator:
        return decide(subject, door.action, "")  # the handler says that there is no such thing
    return decide(subject, door.action, project_id)


def refusal(request: Request, verdict: Verdict, show: Show | None = None) -> Response:
    """The answer to who may not: what is missing, and never more than they may know."""
    api = show is None or request.scope["path"].startswith(_FOR_PROGRAMS)
    if verdict.reason is Reason.UNKNOWN:
        return _sign_in(request)
    if verdict.reason is Reason.NO_MEMBER:
        if show is None or api:
            return JSONResponse({"error": "Not Found"}, 404)
        text = "There is no such page, or you do not belong to its project."
        return show(404, "Not found", text)
    reason = str(verdict.reason)
    text = f"{reason[0].upper()}{reason[1:]}. It needs {verdict.needed}."
    if show is None or api:
        return JSONResponse({"error": "Forbidden", "message": text}, 403)
    return show(403, "Not allowed", text)


def _unasked(request: Request, door: Door) -> Response | None:
    """What keeps a handler that decides itself from being asked."""
    visitor = visit.current()
    if door.of is None:
        return None
    changes = visitor.session and request.method not in _SAFE  # another site could have sent it
    return _sign_in(request) if changes or visitor.subject.kind is Kind.NOBODY else None


def _foreign(request: Request) -> Response | None:
    """A page elsewhere must not log its visitors in, as somebody of its choice."""
    settings: Settings = request.app.state.platform.settings
    if request.method in _SAFE or same_site(request.headers, settings.public_url):
        return None
    return PlainTextResponse(_FOREIGN, 403)


async def _judge_form(request: Request, session: str) -> tuple[Response | None, Receive]:
    """A form must come from this site, with the number that this platform put into it."""
    platform: Platform = request.app.state.platform
    refused = PlainTextResponse(_FOREIGN, 403)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        return refused, request.receive
    body = await request.body()
    field = _TOKEN.search(body)  # not all fields are read here: a form may have megabytes
    given = "" if field is None else unquote_plus(field[1].decode("utf-8", "replace"))
    good = hmac.compare_digest(given.encode(), visit.form_token(session).encode())
    if not good or not same_site(request.headers, platform.settings.public_url):
        return refused, request.receive
    return None, _again(body, request.receive)


def _again(body: bytes, receive: Receive) -> Receive:
    """A body that was read already; the application reads it again."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def set_cookie(request: Request, answer: Response, session: str) -> None:
    """Set the cookie of the session."""
    platform: Platform = request.app.state.platform
    answer.set_cookie(
        cookie_name(request),
        session,
        max_age=int(platform.sessions.seconds),
        httponly=True,
        secure=platform.settings.secure,
        samesite="strict",
    )


def _meant_for_us(host: str, headers: Headers, settings: Settings) -> bool:
    """Whether only names of this machine are accepted: no public address is set, and it is local.

    Otherwise a web site could reach the platform by a name of its own (DNS rebinding), and a
    forgotten proxy would show the login page to everybody.
    """
    if settings.public_url is not None or not settings.loopback:
        return True
    return is_loopback(host) and not is_forwarded(headers)


def _sign_in(request: Request) -> Response:
    if request.scope["path"].startswith(_FOR_PROGRAMS):
        text = "Send a token: Authorization: Bearer <an API token, or the content of admin-token>."
        return JSONResponse(
            {"error": "Unauthorized", "message": text}, 401, {"www-authenticate": "Bearer"}
        )
    return RedirectResponse(f"{LOGIN}?next={quote(request.scope['path'])}", 303)

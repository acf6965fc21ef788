"""The ASGI application: everything the platform answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import h11
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from holdfast import log
from holdfast.platform.access.doors import check_rows
from holdfast.platform.access.guard import Guard
from holdfast.platform.access.limits import Limited, Limits
from holdfast.platform.access.pressure import Pressed
from holdfast.platform.access.request_line import PlainAddress
from holdfast.platform.api.metrics import Timed
from holdfast.platform.api.openapi import description_of
from holdfast.platform.api.problems import Problems
from holdfast.platform.api.routes import api_routes
from holdfast.platform.chores.cleaner import cleaner
from holdfast.platform.chores.indexer import indexer
from holdfast.platform.chores.teller import teller
from holdfast.platform.collections.routes import collection_routes
from holdfast.platform.service import Chore, Confirm, Platform, Resolve
from holdfast.platform.settings import Settings
from holdfast.platform.start.bulk import bulk_worker
from holdfast.platform.start.cron import cron
from holdfast.platform.start.retrier import retrier
from holdfast.platform.start.webhook import webhook
from holdfast.platform.store.database import BAD_VALUES
from holdfast.platform.web.account import account_routes
from holdfast.platform.web.alertpage import alert_routes
from holdfast.platform.web.apipage import api_page_routes
from holdfast.platform.web.audit import audit_routes
from holdfast.platform.web.connecting import connecting_routes
from holdfast.platform.web.entrance import entrance_routes
from holdfast.platform.web.language import Spoken, say
from holdfast.platform.web.pages import page_routes
from holdfast.platform.web.people import people_routes
from holdfast.platform.web.render import message
from holdfast.platform.web.secrets import secret_routes
from holdfast.platform.web.sign_on import sign_on_routes
from holdfast.platform.workers.janitor import janitor
from holdfast.platform.workers.socket import worker_socket

CHORES: tuple[Chore, ...] = (janitor, cron, retrier, cleaner, teller, indexer, bulk_worker)
#: What programs ask for: they get words without a page around them.
_FOR_PROGRAMS = ("/api/", "/metrics", "/collections", "/i/", "/static/", "/worker")


def create_app(
    settings: Settings,
    *,
    resolve: Resolve | None = None,
    confirm: Confirm | None = None,
    chores: Iterable[Chore] = CHORES,
) -> Starlette:
    """The application. `resolve` turns `name@latest` into an exact version.

    Raises DataFolderError and BadKeyError at once, DatabaseError when it is started.
    """
    platform = Platform(settings, resolve=resolve, confirm=confirm)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await platform.start(*chores)
        try:
            yield
        finally:
            await platform.stop()

    app = Starlette(
        routes=_routes(),
        middleware=[
            Middleware(Timed, figures=platform.figures),
            Middleware(Spoken),
            Middleware(Problems),
            Middleware(PlainAddress),
            Middleware(Limited, limits=_limits(settings)),
            Middleware(Pressed, database=platform.database),
            Middleware(Guard, show=message),
        ],
        lifespan=lifespan,
        exception_handlers={
            Exception: _failed,
            HTTPException: _no_page,
            **dict.fromkeys(BAD_VALUES, _unfit),
        },
    )
    check_rows(app.routes)
    app.state.platform = platform
    return app


def _routes() -> list[BaseRoute]:
    return [
        # the first, as most requests are for it, and routes are tried in their order
        Route("/i/{path:path}", webhook, methods=["GET", "POST", "OPTIONS"]),
        Route("/health_check", _health),
        Route("/ready", _ready),
        WebSocketRoute("/worker/websocket", worker_socket),
        *collection_routes(),
        *api_routes(),
        *entrance_routes(),
        *sign_on_routes(),
        *account_routes(),
        *audit_routes(),
        *people_routes(),
        *secret_routes(),
        *connecting_routes(),
        *alert_routes(),
        *page_routes(),
        *api_page_routes(description_of),
    ]


def create_collections_door(platform: Platform) -> Starlette:
    """What runs may reach whatever their egress policy: Collections, with a run's token only.

    It belongs to a platform that `create_app` has made.
    """
    app = Starlette(
        routes=collection_routes(runs_only=True),
        middleware=[
            Middleware(PlainAddress),
            Middleware(Limited, limits=_limits(platform.settings)),
            Middleware(Pressed, database=platform.database),
        ],
        exception_handlers={Exception: _failed, **dict.fromkeys(BAD_VALUES, _unfit)},
    )
    app.state.platform = platform
    return app


def _limits(settings: Settings) -> Limits:
    """As large as the largest input, written in the longest form that pages and API take."""
    most, patience = settings.frame_bytes, settings.patience_seconds
    return Limits(most, 8 * most, piece_seconds=patience, body_seconds=6 * patience)


async def _health(_request: Request) -> Response:
    return PlainTextResponse("Hello, I am alive.")


async def _ready(request: Request) -> Response:
    """Whether the database answers, for reading and writing."""
    platform: Platform = request.app.state.platform
    try:
        await platform.database.check()
    except Exception as error:
        log.error("platform.not_ready", why=type(error).__name__)
        return JSONResponse({"ready": False}, 503)
    return JSONResponse({"ready": True})


async def _no_page(request: Request, error: Exception) -> Response:
    """An address that nothing answers to, or not in this way: a page for people."""
    assert isinstance(error, HTTPException)
    if error.status_code != 404 or request.url.path.startswith(_FOR_PROGRAMS):
        return PlainTextResponse(error.detail, error.status_code, headers=error.headers)
    text = say("Nothing is at this address. It may have been mistyped, or what was here is gone.")
    return message(404, say("There is no such page"), text)


async def _unfit(request: Request, error: Exception) -> Response:
    """A value that no column can hold, which no rule has named: asking again would not help."""
    log.info("request.unfit", path=request.url.path, why=type(error).__name__)
    text = "The request has a value that cannot be stored."
    return JSONResponse({"error": "bad_value", "message": text}, 422)


async def _failed(request: Request, error: Exception) -> Response:
    """Never a traceback for the one who asks; the log has it."""
    if isinstance(error, h11.LocalProtocolError):
        # What came is no HTTP: it has been answered with 400, and there is no one to answer to.
        log.info("request.broken", path=request.url.path, why=error)
    else:
        log.error("request.failed", path=request.url.path, why=type(error).__name__)
    body = {"error": "internal_error", "message": "The platform could not do this; see its log."}
    headers = {"retry-after": "5"}
    return JSONResponse(body, 503, headers)

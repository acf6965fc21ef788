"""Keys of webhooks over the API: listed without secrets, set, rotated, removed."""

from __future__ import annotations

import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.model.json import JsonObject
from holdfast.platform.access import visit
from holdfast.platform.access.problems import AccessError
from holdfast.platform.access.webhook_keys import API_KEY, BASIC, HMAC
from holdfast.platform.api.accounts import project
from holdfast.platform.api.body import object_of, text
from holdfast.platform.clock import now
from holdfast.platform.project.access import key_problems
from holdfast.platform.service import Platform
from holdfast.platform.store import webhook_keys
from holdfast.platform.store.database import Transaction

#: Fewer characters can be guessed.
_SHORTEST, _SHORTEST_PASSWORD = 16, 10
_DAY = 24 * 3600
_LONGEST_WINDOW, _LONGEST_KEPT = _DAY, 30 * _DAY


async def listed(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    project_id = await project(request)
    data = await platform.database.read(
        lambda c: webhook_keys.listed(c, platform.keys, project_id, now())
    )
    return JSONResponse({"data": data})


async def put(request: Request) -> Response:
    """`PUT /api/projects/:project_id/webhook_keys/:name`: make a key, or give it a new secret.

    `{"type": "api_key" | "hmac", "secret"?}` or `{"type": "basic", "username", "password"}`. A
    secret that is left out is made, and shown once. The old one stays good for `keep_old_seconds`
    (a day). `window_seconds` of an hmac: its signatures carry their time.
    """
    platform: Platform = request.app.state.platform
    project_id, name = await project(request), request.path_params["name"]
    asked = await object_of(request)
    kind = text(asked, "type")
    for problem in key_problems({name: kind}):
        raise AccessError(problem)
    secret, made = _secret(kind, asked)
    window = _seconds(asked, "window_seconds", _LONGEST_WINDOW) if kind == HMAC else None
    kept = _seconds(asked, "keep_old_seconds", _LONGEST_KEPT)

    def work(tx: Transaction) -> None:
        webhook_keys.put(
            tx, platform.keys, project_id, name, secret,
            kind=kind, window_seconds=window, keep_old_seconds=_DAY if kept is None else kept,
        )  # fmt: skip

    visit.note(type=kind, window_seconds=window)
    await platform.database.write(work)
    shown: JsonObject = {"secret": secret} if made else {}
    body: JsonObject = {"data": {"name": name, "type": kind, "window_seconds": window}, **shown}
    return JSONResponse(body, 200, {"cache-control": "no-store"})


def _secret(kind: str, asked: dict[str, Any]) -> tuple[str, bool]:
    """The secret, and whether it was made here. Raises AccessError."""
    if kind == BASIC:
        user, password = text(asked, "username"), text(asked, "password")
        if ":" in user:
            message = "username must not have a colon"
            raise AccessError(message)
        return f"{user}:{_long(password, 'password', _SHORTEST_PASSWORD)}", False
    if kind in {API_KEY, HMAC} and asked.get("secret") is None:
        return secrets.token_urlsafe(32), True
    return _long(text(asked, "secret"), "secret", _SHORTEST), False


def _long(value: str, name: str, shortest: int) -> str:
    """Raises AccessError."""
    if len(value) < shortest:
        message = f"{name} must have at least {shortest} characters"
        raise AccessError(message)
    return value


def _seconds(asked: dict[str, Any], name: str, most: int) -> int | None:
    """Raises AccessError."""
    value = asked.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        message = f"{name} must be a whole number from 0 to {most}"
        raise AccessError(message)
    return value


async def remove(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    project_id, name = await project(request), request.path_params["name"]
    await platform.database.write(lambda tx: webhook_keys.remove(tx, project_id, name))
    return Response(status_code=204)

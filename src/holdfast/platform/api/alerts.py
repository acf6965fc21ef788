"""Whom a project tells when runs fail, recover, are lost or wait for long."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.model.json import JsonObject
from holdfast.platform.access import visit
from holdfast.platform.access.problems import AccessError
from holdfast.platform.api.accounts import project
from holdfast.platform.api.body import object_of, text, words
from holdfast.platform.clock import iso
from holdfast.platform.secrets.oauth import endpoint_problem
from holdfast.platform.service import Platform
from holdfast.platform.store import alerts
from holdfast.platform.store.alerts import Event
from holdfast.platform.store.catalog import find_project
from holdfast.platform.store.database import Connection, Row

_EVENTS = tuple(event.value for event in Event if event is not Event.TEST)
_USUAL = [Event.FIRST_FAILURE.value, Event.RECOVERY.value, Event.LOST.value]
_MEMBERS = {"webhook", "mail", "events", "queue_seconds", "digest_minutes"}
_MAIL = re.compile(r"[^@\s,<>]{1,64}@[^@\s,<>]{1,190}")
_MOST_RULES = 50
_DAY = 24 * 60


async def listed(request: Request) -> Response:
    """Whom a project tells, of what, and what became of it. No address is shown whole."""
    platform: Platform = request.app.state.platform
    key = await project(request)

    def read(connection: Connection) -> list[JsonObject]:
        return [_shown(connection, row) for row in alerts.rules_of(connection, key)]

    return JSONResponse({"data": await platform.database.read(read)})


async def add(request: Request) -> Response:
    """Tell somebody: `{"webhook": url}` or `{"mail": address}`, with `events` and the like.

    `events`: first_failure, recovery, lost (those are told without it), failure, queue_age.
    `queue_seconds`: how long a run may wait (300). `digest_minutes`: tell all of so many minutes
    in one; 0 tells each at once.
    """
    platform: Platform = request.app.state.platform
    key, asked = await project(request), await object_of(request)
    if unknown := set(asked) - _MEMBERS:
        message = f"{min(unknown)!r} is not one of {', '.join(sorted(_MEMBERS))}"
        raise AccessError(message)
    kind, target, shown = _target(asked)
    events = words(asked, "events", _USUAL)
    if not events or set(events) - set(_EVENTS):
        message = f"events must be some of {', '.join(_EVENTS)}"
        raise AccessError(message)
    values = {
        "kind": kind,
        "shown": shown,
        "events": json.dumps(events),
        "queue_seconds": _number(asked, "queue_seconds", 300, least=1, most=_DAY * 60),
        "digest_minutes": _number(asked, "digest_minutes", 0, least=0, most=7 * _DAY),
    }
    if len(await platform.database.read(lambda c: alerts.rules_of(c, key))) >= _MOST_RULES:
        message = f"a project has {_MOST_RULES} alerts at most"
        raise AccessError(message)
    made = await platform.database.write(
        lambda tx: alerts.add_rule(tx, platform.keys, key, target, **values)
    )
    visit.note(None, alert=made, to=shown)
    return JSONResponse({"data": {"id": made}}, 201)


async def remove(request: Request) -> Response:
    """Tell somebody no more, not even what was to be told."""
    platform: Platform = request.app.state.platform
    key, rule = await project(request), request.path_params["id"]
    if not await platform.database.write(lambda tx: alerts.remove_rule(tx, key, rule)):
        raise _none()
    return Response(status_code=204)


async def try_out(request: Request) -> Response:
    """Tell somebody that this is a test; the list says within seconds whether it arrived."""
    platform: Platform = request.app.state.platform
    key, rule = await project(request), request.path_params["id"]
    rules = await platform.database.read(lambda c: alerts.rules_of(c, key))
    row = next((row for row in rules if row.id == rule), None)
    found = await platform.database.read(lambda c: find_project(c, key))
    if row is None or found is None:
        raise _none()
    await platform.database.write(lambda tx: alerts.test(tx, row, found.name))
    return JSONResponse({"data": {"id": rule}}, 202)


def _none() -> AccessError:
    message = "There is no such alert."
    return AccessError(message, 404)


def _target(asked: dict[str, Any]) -> tuple[str, str, str]:
    """Kind, whole address, and what is shown of it. Raises AccessError."""
    if ("webhook" in asked) == ("mail" in asked):
        message = "give either webhook or mail"
        raise AccessError(message)
    if "mail" in asked:
        address = text(asked, "mail")
        if not _MAIL.fullmatch(address):
            message = "mail must be an address like somebody@example.org"
            raise AccessError(message)
        return "mail", address, address
    url = text(asked, "webhook")
    if len(url) > 2000 or (problem := endpoint_problem(url)) is not None:
        message = f"webhook {problem if len(url) <= 2000 else 'is too long'}"
        raise AccessError(message)
    parts = urlsplit(url)
    host = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    return "webhook", url, f"{parts.scheme}://{host}/***"[:255]


def _number(asked: dict[str, Any], name: str, usual: int, *, least: int, most: int) -> int:
    """Raises AccessError."""
    value = asked.get(name, usual)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        message = f"{name} must be a whole number from {least} to {most}"
        raise AccessError(message)
    return value


def _shown(connection: Connection, row: Row) -> JsonObject:
    done = alerts.deliveries_of(connection, row.id)
    return {
        "id": row.id,
        "kind": row.kind,
        "to": row.shown,
        "events": json.loads(row.events),
        "queue_seconds": row.queue_seconds,
        "digest_minutes": row.digest_minutes,
        "told": done.told,
        "told_at": iso(done.told_at),
        "waiting": done.waiting,
        "given_up": done.given_up,
        "problem": done.problem,
    }

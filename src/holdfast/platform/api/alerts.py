"""Whom a project tells when runs fail, recover, are lost or wait for long."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.model.json import JsonObject
from holdfast.platform.access import visit
from holdfast.platform.access.problems import AccessError
from holdfast.platform.api.accounts import project
from holdfast.platform.api.body import object_of
from holdfast.platform.clock import iso
from holdfast.platform.service import Platform
from holdfast.platform.store import alerts
from holdfast.platform.store.alert_rules import AlertRule
from holdfast.platform.store.catalog import find_project
from holdfast.platform.store.database import Connection, Row


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
    rule = AlertRule.of(asked)
    made = await platform.database.write(
        lambda tx: alerts.add_rule(tx, platform.keys, key, rule.target, **rule.values())
    )
    visit.note(None, alert=made, to=rule.shown)
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
    row = await platform.database.read(lambda c: alerts.find_rule(c, key, rule))
    found = await platform.database.read(lambda c: find_project(c, key))
    if row is None or found is None:
        raise _none()
    await platform.database.write(lambda tx: alerts.test(tx, row, found.name))
    return JSONResponse({"data": {"id": rule}}, 202)


def _none() -> AccessError:
    message = "There is no such alert."
    return AccessError(message, 404)


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

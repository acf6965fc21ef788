"""The page of a project's alerts: who is told of what, and what became of it."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from holdfast.platform.access import visit
from holdfast.platform.access.problems import AccessError
from holdfast.platform.service import Platform
from holdfast.platform.store import alerts
from holdfast.platform.store.alert_rules import USUAL, AlertRule
from holdfast.platform.store.database import Connection
from holdfast.platform.web.account import fields
from holdfast.platform.web.language import say
from holdfast.platform.web.project import missing, named_project
from holdfast.platform.web.render import page
from holdfast.platform.web.words import ALERT_EVENTS

#: What the form begins with.
_EMPTY = {"kind": "mail", "to": "", "events": USUAL, "queue": "5", "digest": "0"}


def alert_routes() -> list[BaseRoute]:
    """The page and its forms."""
    own = "/projects/{project_id}/alerts"
    return [
        Route(own, show),
        Route(own, add, methods=["POST"]),
        Route(f"{own}/{{id}}/remove", remove, methods=["POST"]),
        Route(f"{own}/{{id}}/test", try_out, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    return await _show(request)


async def _show(
    request: Request, error: str = "", asked: dict[str, Any] | None = None
) -> Response:
    """`asked`: what the form was filled with, when it was refused."""
    platform: Platform = request.app.state.platform
    project_id, project = await named_project(request)
    if not project:
        return missing()

    def read(connection: Connection) -> list[dict[str, Any]]:
        return [
            {
                "rule": rule,
                "events": json.loads(rule.events),
                "done": alerts.deliveries_of(connection, rule.id),
            }
            for rule in alerts.rules_of(connection, project_id)
        ]

    return page(
        "alerts.html",
        status=422 if error else 200,
        project_id=project_id,
        project=project,
        rules=await platform.database.read(read),
        words=ALERT_EVENTS,
        asked=asked or _EMPTY,
        error=error,
    )


async def add(request: Request) -> Response:
    """Tell somebody. Minutes and kinds are checked as those of the API."""
    platform: Platform = request.app.state.platform
    project_id, project = await named_project(request)
    if not project:
        return missing()
    given: dict[str, Any] = dict(await fields(request, "kind", "to", "queue", "digest"))
    async with request.form() as form:
        given["events"] = [str(value) for value in form.getlist("event")]
    try:
        rule = AlertRule.of(
            {
                "webhook" if given["kind"] == "webhook" else "mail": given["to"],
                "events": given["events"],
                "queue_seconds": 60 * _minutes(given["queue"] or "5"),
                "digest_minutes": _minutes(given["digest"] or "0"),
            }
        )
        made = await platform.database.write(
            lambda tx: alerts.add_rule(tx, platform.keys, project_id, rule.target, **rule.values())
        )
    except AccessError as error:
        return await _show(request, error.message, given)
    visit.note(alert=made, to=rule.shown)
    return _back(project_id)


def _minutes(text: str) -> int:
    """Raises AccessError."""
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        error = say("Minutes must be a whole number.")
        raise AccessError(error)
    return int(text)


async def remove(request: Request) -> Response:
    """Tell somebody no more, not even what was to be told."""
    platform: Platform = request.app.state.platform
    project_id, _ = await named_project(request)
    key = request.path_params["id"]
    await platform.database.write(lambda tx: alerts.remove_rule(tx, project_id, key))
    return _back(project_id)


async def try_out(request: Request) -> Response:
    """Tell somebody that this is a test."""
    platform: Platform = request.app.state.platform
    project_id, project = await named_project(request)
    key = request.path_params["id"]
    rule = await platform.database.read(lambda c: alerts.find_rule(c, project_id, key))
    if rule is not None:
        await platform.database.write(lambda tx: alerts.test(tx, rule, project))
    return _back(project_id)


def _back(project_id: str) -> Response:
    return RedirectResponse(f"/projects/{project_id}/alerts", 303)

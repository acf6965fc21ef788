"""The pages of the audit log: all of it, and that of one project."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from holdfast.platform.service import Platform
from holdfast.platform.store import accounts, audit
from holdfast.platform.store.audit import Chosen
from holdfast.platform.store.belonging import project_of
from holdfast.platform.web.language import say
from holdfast.platform.web.render import message, page

_ROWS = 50


def audit_routes() -> list[BaseRoute]:
    """Both pages."""
    return [
        Route("/audit", everything),
        Route("/projects/{project_id}/audit", of_project),
    ]


async def everything(request: Request) -> Response:
    return await _show(request, None)


async def of_project(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    asked = request.path_params["project_id"]
    found = await platform.database.read(lambda c: project_of(c, "project", asked))
    if found is None:
        return message(404, say("Not found"), say("There is no such project."))
    return await _show(request, found)


async def _show(request: Request, project_id: str | None) -> Response:
    platform: Platform = request.app.state.platform
    text, actor = request.query_params.get("before", ""), request.query_params.get("actor") or None
    before = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
    visible = None if project_id is None else frozenset({project_id})
    chosen = Chosen(visible, actor, before, _ROWS + 1)
    rows = await platform.database.read(lambda c: audit.events(c, chosen))
    names = {row.id: row.name for row in await platform.database.read(accounts.projects)}
    shown = [
        {
            "row": row,
            "details": [(name, _text(value)) for name, value in json.loads(row.details).items()],
            "project": names.get(row.project_id),
        }
        for row in rows[:_ROWS]
    ]
    return page(
        "audit.html",
        events=shown,
        more=rows[_ROWS - 1].id if len(rows) > _ROWS else None,
        project_id=project_id,
        project=names.get(project_id),
        actor=actor or "",
    )


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

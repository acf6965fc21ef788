"""Failures by their cause over the API, as the page of problems has them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.model.json import Json, JsonObject
from holdfast.platform.access import visit
from holdfast.platform.causes.problem import MOST, Found, Problem, find
from holdfast.platform.clock import iso, now
from holdfast.platform.service import Platform
from holdfast.platform.store.history import Filters


async def problems(request: Request) -> Response:
    """Failures of the last 14 days by their cause, the one that was seen last first.

    Runs of one workflow have one cause when code, step, message (without its values) and line are
    the same. The newest 500 failures are looked at; `meta.more`: there are others.
    """
    platform: Platform = request.app.state.platform
    asked = request.query_params
    filters = Filters(
        project_id=asked.get("project_id") or None,
        workflow_id=asked.get("workflow_id") or None,
        visible=visit.subject().visible,
    )
    found: Found = await platform.database.read(lambda c: find(c, filters, now()))
    data: list[Json] = [_shown(problem, found.looked_from) for problem in found.problems]
    meta: JsonObject = {"looked_from": iso(found.looked_from), "more": found.more, "most": MOST}
    return JSONResponse({"data": data, "meta": meta})


def _shown(problem: Problem, looked_from: int) -> JsonObject:
    return {
        "code": problem.code,
        "what": problem.what,
        "turn": problem.turn,
        "step": problem.step,
        "project_id": problem.project_id,
        "workflow_id": problem.workflow_id,
        "workflow_name": problem.workflow_name,
        "count": len(problem.runs),
        "runs": [*problem.runs],
        "days": [*problem.days],
        "first_seen_at": iso(problem.first),
        "last_seen_at": iso(problem.last),
        "since_version": None if problem.version is None else problem.version[0],
        "new": problem.is_new(looked_from),
    }

"""The page of problems: failures of the same cause in one row."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from holdfast.platform.access import visit
from holdfast.platform.causes.problem import DAYS, MOST, Found, find
from holdfast.platform.clock import now
from holdfast.platform.service import Platform
from holdfast.platform.store.database import Connection
from holdfast.platform.store.history import Filters
from holdfast.platform.web import chosen
from holdfast.platform.web.data import workflow_rows
from holdfast.platform.web.render import page
from holdfast.platform.web.words import TRIGGERS_WITHIN


async def show(request: Request) -> Response:
    """The problems of the last days. `?workflow_id=`: of one workflow."""
    platform: Platform = request.app.state.platform
    visible, asked = visit.subject().visible, request.query_params
    filters = Filters(workflow_id=asked.get("workflow_id") or None, visible=visible)

    def read(connection: Connection) -> tuple[Found, list[dict[str, Any]]]:
        found = find(connection, filters, now(), TRIGGERS_WITHIN)
        return found, workflow_rows(connection, visible)

    found, flows = await platform.database.read(read)
    return page(
        "problems.html",
        problems=found.problems,
        more=found.more,
        looked_from=found.looked_from,
        workflows=flows,
        days=DAYS,
        most=MOST,
        most_chosen=chosen.MOST,
        workflow_id=filters.workflow_id,
        told=chosen.Told.read(asked.get("told", "")),
        address=chosen.address_of(request),
    )

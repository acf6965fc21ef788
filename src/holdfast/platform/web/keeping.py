"""The page of how long a project keeps documents, logs and runs."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from holdfast.platform.access import visit
from holdfast.platform.chores.cleaner import planned
from holdfast.platform.service import Platform
from holdfast.platform.store import retention
from holdfast.platform.store.database import Connection
from holdfast.platform.store.retention import LONGEST_DAYS, PERIODS, What
from holdfast.platform.web.account import fields
from holdfast.platform.web.language import say
from holdfast.platform.web.project import missing, named_project
from holdfast.platform.web.render import page
from holdfast.platform.web.words import KEPT


def keeping_routes() -> list[BaseRoute]:
    own = "/projects/{project_id}/retention"
    return [Route(own, show), Route(own, change, methods=["POST"])]


async def show(request: Request) -> Response:
    """The periods, and how much would go now."""
    return await _show(request)


async def _show(
    request: Request, error: str | None = None, given: dict[str, str] | None = None
) -> Response:
    platform: Platform = request.app.state.platform
    key, project = await named_project(request)
    if not key:
        return missing()

    def read(connection: Connection) -> dict[str, Any]:
        now = retention.periods(connection, key)._asdict()
        shown = {what.value: "" if now[what] is None else str(now[what]) for what in PERIODS}
        return {"days": shown | (given or {}), "due": planned(connection, key)}

    return page(
        "keeping.html", status=422 if error else 200, project_id=key, project=project,
        error=error, longest=LONGEST_DAYS, kept=KEPT, done="done" in request.query_params,
        **await platform.database.read(read),
    )  # fmt: skip


async def change(request: Request) -> Response:
    """Days of each kind; an empty field: for ever."""
    platform: Platform = request.app.state.platform
    key, _ = await named_project(request)
    if not key:
        return missing()
    given = await fields(request, *(what.value for what in PERIODS))
    days: dict[What, int | None] = {}
    for what in PERIODS:
        text = given[what.value]
        good = text.isascii() and text.isdigit() and len(text) < 9
        if text and not (good and 1 <= int(text) <= LONGEST_DAYS):
            wrong = say("Days must be a whole number from 1 to %(most)s.", most=LONGEST_DAYS)
            return await _show(request, wrong, given)
        days[what] = int(text) if text else None
    visit.note(key, **{what.value: value for what, value in days.items()})
    await platform.database.write(lambda tx: retention.set_periods(tx, key, days))
    return RedirectResponse(f"/projects/{key}/retention?done", 303)

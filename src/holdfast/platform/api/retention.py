"""How long a project keeps documents, logs and runs: shown, set, tried, applied."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.platform.access import visit
from holdfast.platform.access.problems import AccessError
from holdfast.platform.api.accounts import project
from holdfast.platform.api.body import flag, object_of
from holdfast.platform.chores.cleaner import clean_up, planned
from holdfast.platform.service import Platform
from holdfast.platform.store import retention
from holdfast.platform.store.retention import LONGEST_DAYS, PERIODS


async def show(request: Request) -> Response:
    """Days that documents, logs and runs are kept (null: for ever), and how much is due now."""
    platform: Platform = request.app.state.platform
    key = await project(request)
    return JSONResponse({"data": await _shown(platform, key)})


async def change(request: Request) -> Response:
    """Set `documents`, `logs` or `runs`, in days; null keeps them for ever."""
    platform: Platform = request.app.state.platform
    key, asked = await project(request), await object_of(request)
    if unknown := set(asked) - {str(what) for what in PERIODS}:
        message = f"{min(unknown)} is not documents, logs or runs"
        raise AccessError(message)
    days = {what: _days(asked, what) for what in PERIODS if what in asked}
    visit.note(None, **{str(what): value for what, value in days.items()})
    await platform.database.write(lambda tx: retention.set_periods(tx, key, days))
    return JSONResponse({"data": await _shown(platform, key)})


async def apply(request: Request) -> Response:
    """Remove what is due now, in small steps. `{"dry_run": true}` only counts it."""
    platform: Platform = request.app.state.platform
    key, asked = await project(request), await object_of(request)
    if flag(asked, "dry_run"):
        visit.note(tried_only=True)
        due = await platform.database.read(lambda c: planned(c, key))
        return JSONResponse({"data": due, "dry_run": True})
    return JSONResponse({"data": await clean_up(platform, key), "dry_run": False})


async def _shown(platform: Platform, key: str) -> dict[str, Any]:
    row = await platform.database.read(lambda c: retention.periods(c, key))
    due = await platform.database.read(lambda c: planned(c, key))
    return {**row._asdict(), "due": due}


def _days(asked: dict[str, Any], name: str) -> int | None:
    """Raises AccessError."""
    value = asked[name]
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LONGEST_DAYS:
        message = f"{name} must be null or whole days from 1 to {LONGEST_DAYS}"
        raise AccessError(message)
    return value

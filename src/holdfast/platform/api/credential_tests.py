"""Test the connection of a credential over the API: begin one, and ask what it has found."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.model.json import JsonObject
from holdfast.platform.access import visit
from holdfast.platform.access.problems import AccessError
from holdfast.platform.causes.verdict import verdict
from holdfast.platform.service import Platform
from holdfast.platform.start.probing import probe_connection
from holdfast.platform.store import credentials, probes
from holdfast.platform.store.database import Connection


async def begin(request: Request) -> Response:
    """Test the connection of a credential: a worker makes a small request with it.

    What the other system answers is not kept. 409: no worker is connected.
    """
    platform, key = request.app.state.platform, request.path_params["id"]
    row = await platform.database.read(lambda c: credentials.find(c, key))
    if row is None:
        message = "There is no such credential."
        raise AccessError(message, 404)
    visit.note(name=row.name)
    run_id = await probe_connection(platform, row, visit.subject().name)
    return JSONResponse({"data": await _shown(platform, key, run_id)}, 201)


async def show(request: Request) -> Response:
    """What a test of a credential has found. `finding` is `pending` until it has ended."""
    platform, key = request.app.state.platform, request.path_params["id"]
    return JSONResponse({"data": await _shown(platform, key, request.path_params["run_id"])})


async def _shown(platform: Platform, key: str, run_id: str) -> JsonObject:
    """Raises AccessError."""

    def read(connection: Connection) -> JsonObject | None:
        row = credentials.find(connection, key)
        found = row and probes.tested(connection, row.project_id, run_id)
        if not found or found[1].id != key:
            return None
        run, _, step = found
        given = verdict(run, step)
        cause = given.cause
        return {
            "run_id": run.id,
            "state": run.state,
            "finding": given.finding.value,
            "good": given.good,
            "status": given.status,
            "what": None if cause is None else cause.what,
            "change": None if cause is None else cause.change,
        }

    shown = await platform.database.read(read)
    if shown is None:
        message = "There is no such test of this credential."
        raise AccessError(message, 404)
    return shown

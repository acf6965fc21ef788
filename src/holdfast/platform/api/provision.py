"""Provisioning: `openfn deploy` and `holdfast deploy` (`docs/spec/platform.md` 7.2)."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.model.errors import HoldfastError
from holdfast.model.json import Json, JsonObject, parse_document
from holdfast.platform.project.provision import Provision, ProvisionError, from_payload
from holdfast.platform.service import Platform
from holdfast.platform.store import projects
from holdfast.platform.store.database import Connection
from holdfast.platform.store.triggers import webhooks_of

_NOT_FOUND = {"errors": {"detail": "Not Found"}}


async def post(request: Request) -> Response:
    """Make a project what the document says: 201, or 422 with what is wrong."""
    platform: Platform = request.app.state.platform
    try:
        provision = from_payload(await _json(request))
        resolved = await _resolve(platform, provision)
        done = await platform.database.write(
            lambda tx: projects.import_project(tx, provision, resolved)
        )
    except ProvisionError as error:
        return JSONResponse({"errors": error.errors}, 422)
    except HoldfastError as error:
        return JSONResponse({"errors": {"base": [error.message, *filter(None, [error.fix])]}}, 422)
    key = done.project_id
    data = await platform.database.read(lambda c: projects.document(c, key))
    webhooks = await platform.database.read(lambda c: webhooks_of(c, key))
    body = {
        "data": data,
        "holdfast": {"created": done.created, "changes": done.changes, "webhooks": webhooks},
    }
    return JSONResponse(body, 201, {"location": f"/api/provision/{key}"})


async def get(request: Request) -> Response:
    """A project by id, or by name."""
    platform: Platform = request.app.state.platform
    asked = request.path_params["id"]
    data = await platform.database.read(lambda c: _document(c, asked))
    return JSONResponse(_NOT_FOUND, 404) if data is None else JSONResponse({"data": data})


def _document(connection: Connection, asked: str) -> JsonObject | None:
    key = projects.find_project(connection, asked)
    return None if key is None else projects.document(connection, key)


async def _json(request: Request) -> Json:
    try:
        return parse_document(await request.body())
    except ValueError as error:
        raise ProvisionError([f"the body is not JSON: {error}"]) from error


async def _resolve(platform: Platform, provision: Provision) -> dict[str, str]:
    """An exact version for each adaptor, so that a run's plan never changes by itself."""
    names = sorted({job.adaptor for w in provision.project.workflows for job in w.jobs})
    versions = await asyncio.gather(*(platform.resolve(name) for name in names))
    return dict(zip(names, versions, strict=True))

"""Provisioning: `openfn deploy` and `holdfast deploy` (`docs/spec/platform.md` 7.2)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.model.errors import HoldfastError
from holdfast.model.json import Json, JsonObject
from holdfast.model.request_body import parse_request
from holdfast.platform.access import visit
from holdfast.platform.access.guard import refusal
from holdfast.platform.access.policy import Action
from holdfast.platform.deploy.bring import NotAllowedError, bring
from holdfast.platform.project.provision import ProvisionError
from holdfast.platform.project.write_v1 import spec_text
from holdfast.platform.service import Platform
from holdfast.platform.store import documents
from holdfast.platform.store.database import Connection

_NOT_FOUND = {"errors": {"detail": "Not Found"}}


async def post(request: Request) -> Response:
    """Make a project what the document says: 201, or 422 with what is wrong.

    With `?dry_run=true` everything is done and undone again: 200 and the same answer.
    """
    platform: Platform = request.app.state.platform
    dry = request.query_params.get("dry_run") in {"1", "true"}
    try:
        done, notes = await bring(platform, await _json(request), dry=dry)
    except NotAllowedError as error:
        return refusal(request, error.verdict)
    except ProvisionError as error:
        return JSONResponse({"errors": error.errors}, 422)
    except HoldfastError as error:
        return JSONResponse({"errors": {"base": [error.message, *filter(None, [error.fix])]}}, 422)
    imported = done.imported
    visit.note(imported.project_id, changes=imported.changes[:50], tried_only=dry or None)
    told = {"changes": done.imported.changes, "notes": notes, "webhooks": done.webhooks}
    body = {"data": done.document, "holdfast": {"created": done.imported.created, **told}}
    if dry:
        return JSONResponse(body)
    return JSONResponse(body, 201, {"location": f"/api/provision/{done.imported.project_id}"})


async def yaml(request: Request) -> Response:
    """`GET /api/provision/yaml?id=…`: the project's file in form 1, for `openfn pull`."""
    platform: Platform = request.app.state.platform
    asked = request.query_params.get("id", "")
    data = await platform.database.read(lambda c: _document(c, asked))
    if data is None or not visit.may(Action.READ, str(data["id"])):
        return JSONResponse(_NOT_FOUND, 404)
    return Response(spec_text(data), media_type="text/yaml")


async def get(request: Request) -> Response:
    """A project by id, or by name."""
    platform: Platform = request.app.state.platform
    asked = request.path_params["id"]
    data = await platform.database.read(lambda c: _document(c, asked))
    return JSONResponse(_NOT_FOUND, 404) if data is None else JSONResponse({"data": data})


def _document(connection: Connection, asked: str) -> JsonObject | None:
    key = documents.find_project(connection, asked)
    return None if key is None else documents.document(connection, key)


async def _json(request: Request) -> Json:
    try:
        return parse_request(await request.body())
    except ValueError as error:
        raise ProvisionError([f"the body is not JSON: {error}"]) from error

"""What projects are made of: workflows, jobs, collections (`docs/spec/platform.md` 7.1)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.model.json import JsonObject
from holdfast.platform.api import views
from holdfast.platform.api.reads import NOT_FOUND, in_project, listed
from holdfast.platform.api.shape import around, chosen_page
from holdfast.platform.service import Platform
from holdfast.platform.store import catalog, documents, workflows
from holdfast.platform.store.database import Connection
from holdfast.platform.store.lists import Chosen

_TIMES = ("inserted", "updated")


async def list_projects(request: Request) -> Response:
    """Projects that the asker belongs to."""
    return await listed(request, catalog.list_projects, views.project, ("name",), _TIMES)


async def project(request: Request) -> Response:
    """A project by id or name."""
    platform: Platform = request.app.state.platform
    key = request.path_params["project_id"]
    row = await platform.database.read(lambda c: catalog.find_project(c, key))
    return _one(None if row is None else views.project(row))


async def list_jobs(request: Request) -> Response:
    """Jobs with their code, of a project or a workflow."""
    names = ("project_id", "workflow_id", "name")
    return await listed(request, catalog.list_jobs, views.job, names, ())


async def job(request: Request) -> Response:
    """A job with its code."""
    platform: Platform = request.app.state.platform
    key = request.path_params["id"]
    row = await platform.database.read(lambda c: catalog.find_job(c, key))
    return _one(None if row is None else views.job(row))


async def list_collections(request: Request) -> Response:
    """Collections with the number of their items and their size in bytes."""
    names = ("project_id", "name")
    return await listed(request, catalog.list_collections, views.collection, names, _TIMES)


async def list_workflows(request: Request) -> Response:
    """Workflows with jobs, triggers and edges."""

    def read(connection: Connection, chosen: Chosen) -> tuple[list[JsonObject], int]:
        found = catalog.list_workflows(connection, in_project(connection, chosen))
        return [documents.workflow_document(connection, row) for row in found.rows], found.total

    platform: Platform = request.app.state.platform
    asked = chosen_page(request, ("project_id", "name"), _TIMES)
    if isinstance(asked, Response):
        return asked
    page, wanted = asked
    shown, total = await platform.database.read(lambda c: read(c, wanted))
    rest = around(request, page, total)
    return JSONResponse({"workflows": shown, "data": shown, "errors": {}, **rest})


async def workflow(request: Request) -> Response:
    """A workflow with jobs, triggers and edges."""
    platform: Platform = request.app.state.platform
    key = request.path_params["id"]
    shown = await platform.database.read(lambda c: shown_workflow(c, key))
    if shown is None:
        return JSONResponse(NOT_FOUND, 404)
    return JSONResponse({"workflow": shown, "data": shown, "errors": {}})


def shown_workflow(connection: Connection, key: str) -> JsonObject | None:
    """A workflow of the provisioning document, with its `project_id`."""
    row = workflows.find_workflow(connection, key)
    if row is None:
        return None
    shown = documents.workflow_document(connection, row)
    return {**shown, "project_id": row.project_id, **documents.pause_of(row)}


def _one(data: JsonObject | None) -> Response:
    return JSONResponse(NOT_FOUND, 404) if data is None else JSONResponse({"data": data})

"""Workflows one by one: `POST`, `PUT` and `PATCH` (`docs/spec/platform.md` 7.1).

A workflow is written as a provisioning document that names nothing else, so that the same rules
hold. Ids that are no UUIDs are replaced, with the references to them.
"""

from __future__ import annotations

import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.model.errors import HoldfastError
from holdfast.model.json import JsonObject
from holdfast.platform.access.guard import refusal
from holdfast.platform.access.problems import AccessError
from holdfast.platform.api.body import object_of
from holdfast.platform.api.catalog import shown_workflow
from holdfast.platform.api.reads import NOT_FOUND
from holdfast.platform.deploy.bring import NotAllowedError, bring
from holdfast.platform.project.kinds import kind_problems
from holdfast.platform.project.merge import dicts
from holdfast.platform.project.provision import ProvisionError
from holdfast.platform.project.rules import UUID
from holdfast.platform.service import Platform
from holdfast.platform.store import documents
from holdfast.platform.store.workflows import find_workflow

_REFERENCES = ("source_job_id", "source_trigger_id", "target_job_id", "cron_cursor_job_id")


async def create(request: Request) -> Response:
    """Make a workflow in the project of the path, or of `project_id` in the body."""
    platform: Platform = request.app.state.platform
    try:
        asked = await object_of(request)
    except AccessError as error:
        return JSONResponse({"errors": {"base": [error.message]}}, error.status)
    named = str(request.path_params.get("project_id") or asked.pop("project_id", ""))
    project_id = await platform.database.read(lambda c: documents.find_project(c, named))
    if project_id is None:
        return JSONResponse(NOT_FOUND, 404)
    asked.pop("project_id", None)
    asked["id"] = asked.get("id") or str(uuid.uuid4())
    return await _write(request, project_id, asked, 201)


async def change(request: Request) -> Response:
    """Change a workflow: what is not sent stays as it is; a list that is sent is whole."""
    platform: Platform = request.app.state.platform
    key = request.path_params["id"]
    row = await platform.database.read(lambda c: find_workflow(c, key))
    if row is None:
        return JSONResponse(NOT_FOUND, 404)
    try:
        asked = await object_of(request)
    except AccessError as error:
        return JSONResponse({"errors": {"base": [error.message]}}, error.status)
    asked.pop("project_id", None)
    return await _write(request, row.project_id, {**asked, "id": key}, 200)


async def _write(request: Request, project_id: str, asked: JsonObject, status: int) -> Response:
    platform: Platform = request.app.state.platform
    if problems := list(kind_problems({"workflows": [asked]})):
        return JSONResponse({"errors": {"base": problems}}, 422)
    workflow = with_uuids(asked)
    payload: JsonObject = {"id": project_id, "workflows": [workflow]}
    try:
        await bring(platform, payload, dry=False, source="app")
    except NotAllowedError as error:
        return refusal(request, error.verdict)
    except ProvisionError as error:
        return JSONResponse({"errors": error.errors}, 422)
    except HoldfastError as error:
        return JSONResponse({"errors": {"base": [error.message]}}, 422)
    key = str(workflow["id"])
    shown = await platform.database.read(lambda c: shown_workflow(c, key))
    headers = {"location": f"/api/workflows/{key}"} if status == 201 else None
    return JSONResponse({"workflow": shown, "data": shown, "errors": {}}, status, headers)


def with_uuids(workflow: dict[str, Any]) -> JsonObject:
    """The workflow with a UUID for each id that is none."""
    renamed: dict[str, str] = {}
    for part in ("jobs", "triggers", "edges"):
        for item in dicts(workflow.get(part)):
            key = item.get("id")
            if isinstance(key, str) and not UUID.fullmatch(key):
                renamed[key] = str(uuid.uuid4())

    def mended(item: JsonObject) -> JsonObject:
        ids = {name: renamed[str(item[name])] for name in ("id", *_REFERENCES)
               if str(item.get(name)) in renamed}  # fmt: skip
        return {**item, **ids}

    lists: dict[str, Any] = {
        part: [mended(item) for item in dicts(workflow[part])]
        for part in ("jobs", "triggers", "edges")
        if part in workflow
    }
    whole: dict[str, Any] = {**workflow, **lists}
    if isinstance(key := whole.get("id"), str) and not UUID.fullmatch(key):
        whole["id"] = str(uuid.uuid4())
    return whole

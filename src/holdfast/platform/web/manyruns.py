"""Retry or cancel all runs that filters choose: asked once, followed, stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from holdfast.platform.access import visit
from holdfast.platform.access.policy import Action
from holdfast.platform.clock import now
from holdfast.platform.service import Platform
from holdfast.platform.store import accounts, bulk, history
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.store.history_kinds import RUNS
from holdfast.platform.store.history_query import BadFilter
from holdfast.platform.web.language import say
from holdfast.platform.web.project import missing, named_project
from holdfast.platform.web.render import message, page

#: Filters of the list of runs that choose here, too.
FILTERS = ("state", "workflow_id", "id_begins", "error_type", "worker", "inserted_after",
           "inserted_before", "min_duration_ms", "min_memory_mb")  # fmt: skip
#: Actions that the list of them shows.
_SHOWN = 50


def many_routes() -> list[BaseRoute]:
    """The list of actions, the question before one, and its progress."""
    return [
        Route("/actions", listed),
        Route("/actions/new", ask),
        Route("/projects/{project_id}/actions", begin, methods=["POST"]),
        Route("/projects/{project_id}/actions/{id}", progress),
        Route("/projects/{project_id}/actions/{id}/stop", stop, methods=["POST"]),
    ]


async def startable(platform: Platform) -> list[Row]:
    """Projects in which the visitor may retry and cancel runs."""
    visible = visit.subject().visible
    found = await platform.database.read(lambda c: accounts.projects(c, visible))
    return [row for row in found if visit.may(Action.RUN, row.id)]


async def listed(request: Request) -> Response:
    """The newest actions of all projects that the visitor sees."""
    platform: Platform = request.app.state.platform
    visible = visit.subject().visible

    def read(connection: Connection) -> list[dict[str, Any]]:
        found = [
            {"row": row, "project": project.name}
            for project in accounts.projects(connection, visible)
            for row in bulk.of_project(connection, project.id)
        ]
        return sorted(found, key=lambda item: -item["row"].inserted_at)[:_SHOWN]

    return page("actions.html", actions=await platform.database.read(read))


async def ask(request: Request) -> Response:
    """How many runs are meant: nothing is done yet."""
    platform: Platform = request.app.state.platform
    asked = request.query_params
    action, query = asked.get("act", ""), _query(asked)
    projects = await startable(platform)
    project = next((row for row in projects if row.id == asked.get("project_id")), None)
    if project is None or action not in bulk.ACTIONS:
        return message(
            404, say("Not found"), say("There is no such action in a project of yours.")
        )
    try:
        filters = bulk.chosen(project.id, action, query, now())
    except BadFilter as error:
        return message(422, say("Not done"), error.message)
    number = await platform.database.read(lambda c: history.count(c, RUNS, filters))
    return page(
        "action_new.html", project=project, action=action, query=query, number=number,
        states=query.get("state", bulk.ACTIONS[action]),
    )  # fmt: skip


async def begin(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    who, (project_id, project) = visit.subject(), await named_project(request)
    if not project:
        return missing()
    async with request.form() as form:
        given = {key: str(value) for key, value in form.items()}
    action, query = given.get("act", ""), _query(given)
    if action not in bulk.ACTIONS:
        return message(422, say("Not done"), say("There is no such action."))
    try:
        filters = bulk.chosen(project_id, action, query, now())
    except BadFilter as error:
        return message(422, say("Not done"), error.message)
    number = await platform.database.read(lambda c: history.count(c, RUNS, filters))
    visit.note(project_id, action=action, runs=number.number)
    key = await platform.database.write(
        lambda tx: bulk.add(tx, project_id, action, query, number=number, by=who)
    )
    return RedirectResponse(f"/projects/{project_id}/actions/{key}", 303)


async def progress(request: Request) -> Response:
    found = await _found(request)
    if found is None:
        return message(404, say("Not found"), say("There is no such action."))
    row, project = found
    return page("action.html", row=row, project=project, query=json.loads(row.query))


async def stop(request: Request) -> Response:
    """Do no more of it. What is done stays done."""
    platform: Platform = request.app.state.platform
    found = await _found(request)
    if found is None:
        return message(404, say("Not found"), say("There is no such action."))
    row, _ = found
    await platform.database.write(lambda tx: bulk.end(tx, row.id, bulk.STOPPED))
    return RedirectResponse(f"/projects/{row.project_id}/actions/{row.id}", 303)


async def _found(request: Request) -> tuple[Row, str] | None:
    platform: Platform = request.app.state.platform
    project_id, project = await named_project(request)
    key = request.path_params["id"]
    row = await platform.database.read(lambda c: bulk.find(c, key))
    return (row, project) if row is not None and row.project_id == project_id else None


def _query(given: Mapping[str, str]) -> dict[str, str]:
    return {name: given[name] for name in FILTERS if given.get(name)}

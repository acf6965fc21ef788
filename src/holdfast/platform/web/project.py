"""The project that a page's address names."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from holdfast.platform.service import Platform
from holdfast.platform.store import accounts
from holdfast.platform.store.belonging import project_of
from holdfast.platform.store.database import Connection
from holdfast.platform.web.language import say
from holdfast.platform.web.render import message


async def named_project(request: Request) -> tuple[str, str]:
    """Its id and name; empty when there is none."""
    platform: Platform = request.app.state.platform
    asked = request.path_params["project_id"]

    def read(connection: Connection) -> tuple[str, str]:
        key = project_of(connection, "project", asked) or ""
        names = {row.id: row.name for row in accounts.projects(connection)}
        return key, names.get(key, "")

    return await platform.database.read(read)


def missing() -> Response:
    """The answer where no such project is."""
    return message(404, say("Not found"), say("There is no such project."))

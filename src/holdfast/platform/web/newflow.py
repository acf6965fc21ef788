"""A new workflow, empty or from an example, in a project that is there or in a new one."""

from __future__ import annotations

import re
import unicodedata

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from holdfast.model.errors import HoldfastError
from holdfast.model.json import JsonObject
from holdfast.platform.access import visit
from holdfast.platform.access.policy import Action
from holdfast.platform.deploy.bring import NotAllowedError, bring
from holdfast.platform.service import Platform
from holdfast.platform.store import documents
from holdfast.platform.web.account import fields
from holdfast.platform.web.draft import to_document
from holdfast.platform.web.language import say
from holdfast.platform.web.render import message
from holdfast.platform.web.starters import STARTERS, draft_of


def new_routes() -> list[BaseRoute]:
    """The two forms of the overview."""
    return [
        Route("/projects/{project_id}/workflows", in_project, methods=["POST"]),
        Route("/projects", in_new_project, methods=["POST"]),
    ]


async def in_project(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    asked = request.path_params["project_id"]
    key = await platform.database.read(lambda c: documents.find_project(c, asked))
    return await _made(request, {"id": key})


def project_name(text: str) -> str:
    """The name that a project can have, of what somebody calls it: `my-clinic` of `My clinic`."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall("[a-z0-9]+", plain))


async def in_new_project(request: Request) -> Response:
    """The first start: a project of this name with one workflow."""
    name = project_name((await fields(request, "project"))["project"])
    platform: Platform = request.app.state.platform
    if not visit.may(Action.CREATE):  # first: nobody learns what projects others have
        return message(403, say("Not allowed"), say("Only an administrator makes projects."))
    if not name:
        text = say("The name of a project needs a letter from a to z, or a digit.")
        return message(422, say("Not made"), text)
    if await platform.database.read(lambda c: documents.find_project(c, name)) is not None:
        return message(
            422, say("Not made"), say("There is a project %(name)s already.", name=name)
        )
    return await _made(request, {"name": name})


async def _made(request: Request, project: JsonObject) -> Response:
    """Make it, and go on to edit it; one from an example can be run at once."""
    platform: Platform = request.app.state.platform
    given = await fields(request, "name", "starter")
    key, draft = draft_of(given["starter"], given["name"])
    document = to_document(draft, key)
    del document["lock_version"]
    visit.note(workflow=key)
    try:
        await bring(platform, {**project, "workflows": [document]}, dry=False, source="app")
    except NotAllowedError as error:
        return message(
            403, say("Not allowed"), say("It needs %(needed)s.", needed=error.verdict.needed)
        )
    except HoldfastError as error:
        return message(422, say("Not made"), error.message)
    if given["starter"] in STARTERS:
        return RedirectResponse(f"/workflows/{key}#run-now", 303)
    return RedirectResponse(f"/workflows/{key}/edit", 303)

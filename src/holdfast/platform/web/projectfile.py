"""The page of a project's file: as a text, to download, and what another one would change."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from holdfast.model.errors import HoldfastError
from holdfast.model.json import JsonObject
from holdfast.platform.access import visit
from holdfast.platform.access.policy import Action
from holdfast.platform.deploy.bring import NotAllowedError, bring
from holdfast.platform.project.deployment import to_payload
from holdfast.platform.project.difference import conflicts, difference
from holdfast.platform.project.merge import dicts
from holdfast.platform.project.model import Project
from holdfast.platform.project.provision import ProvisionError
from holdfast.platform.project.read import project_of_text
from holdfast.platform.project.write_v1 import spec_text
from holdfast.platform.service import Platform
from holdfast.platform.store import documents
from holdfast.platform.store.database import Connection
from holdfast.platform.web.codechecks import check
from holdfast.platform.web.draft import Draft, Path, Step
from holdfast.platform.web.drafttext import LONGEST
from holdfast.platform.web.language import say
from holdfast.platform.web.project import missing, named_project
from holdfast.platform.web.render import page


def project_file_routes() -> list[BaseRoute]:
    """The file of a project, and a form that takes one of any project."""
    return [
        Route("/projects/{project_id}/file", show),
        Route("/projects/{project_id}/project.yaml", download),
        Route("/import", begin),
        Route("/import", take, methods=["POST"]),
    ]


@dataclass(slots=True)
class _Told:
    """What is said of a file. `changes`: None: it was not looked at, or something is wrong."""

    problems: list[str] = field(default_factory=list)
    changes: list[str] | None = None
    warnings: list[str] = field(default_factory=list)
    #: What the project was like when somebody looked.
    seen: str = ""
    #: It was to be deployed, but the project is another one than the one looked at.
    late: bool = False


async def show(request: Request) -> Response:
    """The project as a file, which may be changed at once."""
    key, project, text = await _file(request)
    if not key:
        return missing()
    done = "done" in request.query_params
    return page("project_file.html", project_id=key, project=project, text=text, told=_Told(),
                done=done)  # fmt: skip


async def download(request: Request) -> Response:
    """The file, as `holdfast pull --form 1` writes it."""
    key, project, text = await _file(request)
    if not key:
        return missing()
    name = f"attachment; filename*=utf-8''{quote(project, safe='')}.yaml"
    return Response(text, media_type="text/yaml", headers={"content-disposition": name})


async def _file(request: Request) -> tuple[str, str, str]:
    """Id and name of the project, and its file; all empty where there is none."""
    platform: Platform = request.app.state.platform
    key, project = await named_project(request)
    if not key:
        return "", "", ""
    text = await platform.database.read(lambda c: spec_text(documents.document(c, key)))
    return key, project, text


async def begin(_: Request) -> Response:
    """An empty form."""
    return page("project_file.html", project_id="", project="", text="", told=_Told(), done=False)


async def take(request: Request) -> Response:
    """Say what a file would change; with `act=deploy`, change it, if nobody has meanwhile."""
    platform: Platform = request.app.state.platform
    most = platform.settings.frame_bytes
    async with request.form(max_part_size=most) as form:
        text, act, seen = (str(form.get(name) or "") for name in ("text", "act", "seen"))
    text, told = text.replace("\r\n", "\n"), _Told()
    if not visit.may_anywhere(Action.DEPLOY):  # a long text takes long to read
        told.problems.append(say("You may change no project, and make none."))
        return _answer(None, text, told, 403)
    project = await _read(text, told)
    if project is None:
        return _answer(None, text, told)
    current = await platform.database.read(lambda c: _document(c, project))
    if not _may(current):
        told.problems.append(say(
            "There is no project “%(name)s” that you may change, and only an administrator makes"
            " projects.", name=project.name,
        ))  # fmt: skip
        return _answer(None, text, told, 403)
    told.seen, payload = await asyncio.to_thread(_laid_over, project, current)
    told.late = act == "deploy" and seen != told.seen
    done = await _bring(platform, payload, current, told, dry=act != "deploy" or told.late)
    if done and act == "deploy" and not told.late:
        return RedirectResponse(f"/projects/{done}/file?done", 303)
    if done:
        told.warnings += await asyncio.to_thread(conflicts, project, current)
        told.warnings += await _mistakes(platform, payload)
    return _answer(current, text, told)


def _answer(current: JsonObject | None, text: str, told: _Told, wrong: int = 422) -> Response:
    project_id, project = (str((current or {}).get(name) or "") for name in ("id", "name"))
    return page(
        "project_file.html", status=wrong if told.problems or told.late else 200,
        project_id=project_id, project=project, text=text, told=told, done=False,
    )  # fmt: skip


async def _read(text: str, told: _Told) -> Project | None:
    """The project that a text means; None: `told` says what is wrong."""
    if len(text) > LONGEST:
        told.problems.append(
            say("The file has %(count)s characters; the most is %(most)s.",
                count=f"{len(text):,}", most=f"{LONGEST:,}")
        )  # fmt: skip
        return None
    try:
        return await asyncio.to_thread(project_of_text, text)
    except HoldfastError as error:
        told.problems = error.message.split("\n")
        return None


def _document(connection: Connection, project: Project) -> JsonObject | None:
    """The project of this name, or else the one with the file's id, which gets another name."""
    key = documents.find_project(connection, project.name)
    if key is None and project.id:
        key = documents.find_project(connection, project.id)
    return None if key is None else documents.document(connection, key)


def _may(current: JsonObject | None) -> bool:
    """Nobody learns from the answer what projects others have."""
    if current is None:
        return visit.may(Action.CREATE)
    return visit.may(Action.DEPLOY, str(current["id"]))


def _laid_over(project: Project, current: JsonObject | None) -> tuple[str, JsonObject]:
    """A digest, short and another one for every other state of the project, and the payload."""
    state = json.dumps(current, sort_keys=True).encode()
    return hashlib.sha256(state).hexdigest()[:32], to_payload(project, current)


async def _bring(
    platform: Platform, payload: JsonObject, current: JsonObject | None, told: _Told, *, dry: bool
) -> str | None:
    """The project's id, or None: `told` says what is wrong."""
    try:
        done, notes = await bring(platform, payload, dry=dry, source="app")
    except NotAllowedError as error:
        told.problems = [say("It needs %(needed)s.", needed=error.verdict.needed)]
    except ProvisionError as error:
        told.problems = error.message.split("\n")
    except HoldfastError as error:
        told.problems = [error.message, *filter(None, [error.fix])]
    else:
        told.changes, told.warnings = done.imported.changes, notes
        if current is not None:  # the project's own members, too, and what differs in each part
            told.changes = await asyncio.to_thread(_changes, current, done.document)
        key = None if dry and done.imported.created else done.imported.project_id
        visit.note(key, changes=told.changes[:50], tried_only=dry or None)
        return done.imported.project_id
    return None


def _changes(before: JsonObject, after: JsonObject) -> list[str]:
    return [str(change) for change in difference(before, after)]


async def _mistakes(platform: Platform, payload: JsonObject) -> list[str]:
    """Code and conditions that cannot run; warnings are for the editor."""
    flows: list[dict[str, Any]] = [w for w in dicts(payload["workflows"]) if "jobs" in w]
    jobs = {job["id"]: job for flow in flows for job in flow["jobs"] if "body" in job}
    edges = [edge for flow in flows for edge in flow["edges"] if "condition_type" in edge]
    draft = Draft(
        steps=[Step(key, j["name"], j["adaptor"], "", j["body"]) for key, j in jobs.items()],
        paths=[Path(e["id"], "", "", e["condition_type"], e["condition_expression"] or "")
               for e in edges],
    )  # fmt: skip
    found = await check(platform, draft)
    if found["trouble"] is not None:
        return [say("The code was not checked: %(why)s", why=found["trouble"])]
    return [
        say("%(step)s cannot run, line %(line)s: %(message)s",
            step=jobs[key]["name"] if key in jobs else say("A condition"),
            line=item["line"], message=item["message"])
        for key, items in found["found"].items() for item in items if not item["warning"]
    ]  # fmt: skip

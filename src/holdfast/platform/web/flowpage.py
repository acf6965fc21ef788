"""The page of one workflow: what it does, what starts it, its runs and versions."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from holdfast.model.errors import HoldfastError
from holdfast.model.json import Json, JsonObject
from holdfast.model.request_body import parse_request
from holdfast.platform.access import visit
from holdfast.platform.deploy.bring import NotAllowedError, bring
from holdfast.platform.service import Platform
from holdfast.platform.start.actions import ActionError, start_run
from holdfast.platform.store import dataclips, pauses, snapshots, workflows
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.web.account import fields
from holdfast.platform.web.flowview import flow_view, yaml_of
from holdfast.platform.web.language import later, say
from holdfast.platform.web.render import SHOWN, message, page, pretty
from holdfast.platform.web.starters import STARTERS, example_of
from holdfast.platform.web.versions import changes_of, document_of

_NONE = later("There is no such workflow.")


def flow_routes() -> list[BaseRoute]:
    """The page, its file, and its forms."""
    own = "/workflows/{id}"
    return [
        Route(own, workflow),
        Route(f"{own}/workflow.yaml", as_yaml),
        Route(f"{own}/run", start, methods=["POST"]),
        Route(f"{own}/pause", pause, methods=["POST"]),
        Route(f"{own}/resume", resume, methods=["POST"]),
        Route(f"{own}/retries", set_retries, methods=["POST"]),
        Route(f"{own}/triggers/{{trigger}}", switch, methods=["POST"]),
        Route(f"{own}/versions/{{version}}/restore", restore, methods=["POST"]),
    ]


async def workflow(request: Request) -> Response:
    """A workflow as it is now. `?part=` chooses a step or a trigger, `?version=` what changed.

    `?input=` brings a document into the form that starts a run. Else that of its example is there.
    """
    platform: Platform = request.app.state.platform
    key, clip_id = request.path_params["id"], request.query_params.get("input")

    def read(connection: Connection) -> str | None:
        if clip_id:
            return _input(platform, connection, key, clip_id)
        newest = snapshots.newest_snapshot(connection, key)
        parts = snapshots.parts_of(connection, newest)
        example = STARTERS.get(example_of(job["body"] for job in parts["jobs"]))
        return example.sample if example else None

    text: str | None = await platform.database.read(read)
    return await flow_page(request, text=text or "{}")


def _input(
    platform: Platform, connection: Connection, workflow_id: str, clip_id: str
) -> str | None:
    """The whole state of a document of the workflow's project; None: it cannot be edited here."""
    found = workflows.find_workflow(connection, workflow_id)
    clip = dataclips.find_clip(connection, clip_id)
    if found is None or clip is None or clip.project_id != found.project_id:
        return None
    shown = dataclips.shown_text(
        connection, platform.keys, platform.scrubbers, clip.id, most=SHOWN, state=True
    )
    return None if shown is None or shown.cut else pretty(shown.text)


async def flow_page(
    request: Request, error: str | None = None, text: str = "{}", wrong: str | None = None
) -> Response:
    """The page. `error`: what is wrong with the form that starts a run; `wrong`: elsewhere."""
    platform: Platform = request.app.state.platform
    key, asked = request.path_params["id"], request.query_params
    base = str(platform.settings.public_url or request.base_url).rstrip("/")
    version = _number(asked.get("version"))

    def read(connection: Connection) -> dict[str, Any] | None:
        found = flow_view(connection, key, asked.get("part"), base)
        if found is None:
            return None
        changed = changes_of(connection, key, version) if version else None
        found |= {"yaml": yaml_of(connection, key), "changed": changed, "asked_version": version}
        return found

    found = await platform.database.read(read)
    if found is None:
        return message(404, say("Not found"), say(_NONE))
    return page(
        "workflow.html",
        status=422 if error or wrong else 200,
        **found,
        clip_id=asked.get("input"),
        error=error,
        wrong=wrong,
        input_text=text,
    )


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 9 else None


async def as_yaml(request: Request) -> Response:
    """The workflow as a part of a project file. Alone it would remove the other workflows."""
    platform: Platform = request.app.state.platform
    text = await platform.database.read(lambda c: yaml_of(c, request.path_params["id"]))
    if text is None:
        return message(404, say("Not found"), say(_NONE))
    return Response(text, media_type="text/yaml", headers={"cache-control": "no-store"})


async def start(request: Request) -> Response:
    """Run it now with this input."""
    platform, who = request.app.state.platform, visit.subject().name
    text = (await fields(request, "input"))["input"] or "{}"
    try:
        body = parse_request(text, document=True)
    except ValueError as error:
        return await flow_page(request, say("The input is not JSON: %(error)s", error=error), text)
    try:
        created = await platform.database.write(
            lambda tx: start_run(
                tx, platform.settings, request.path_params["id"], body=body, by=who
            )
        )
    except ActionError as error:
        return await flow_page(request, error.message, text)
    return RedirectResponse(f"/runs/{created.run_id}", 303)


async def pause(request: Request) -> Response:
    """Give none of its runs to a worker, and let its cron trigger rest."""
    platform: Platform = request.app.state.platform
    key, who = request.path_params["id"], visit.subject().name
    await platform.database.write(lambda tx: pauses.pause_workflow(tx, key, who))
    return RedirectResponse(f"/workflows/{key}", 303)


async def resume(request: Request) -> Response:
    """End the pause."""
    platform: Platform = request.app.state.platform
    key = request.path_params["id"]
    await platform.database.write(lambda tx: pauses.resume_workflow(tx, key))
    return RedirectResponse(f"/workflows/{key}", 303)


async def set_retries(request: Request) -> Response:
    """Which of its failed runs start again by themselves; none where `times` is 0."""
    platform: Platform = request.app.state.platform
    given = await fields(request, "times", "backoff", "idempotent")
    async with request.form() as form:
        states: list[Json] = [str(value) for value in form.getlist("on")]
    times, backoff = (_number(given[name]) for name in ("times", "backoff"))
    rule: JsonObject = {"times": times, "backoff_seconds": backoff, "on": states,
                        "idempotent": given["idempotent"] == "yes"}  # fmt: skip
    row = await platform.database.read(
        lambda c: workflows.find_workflow(c, request.path_params["id"])
    )
    if row is None:
        return message(404, say("Not found"), say(_NONE))
    if times is None:
        return await flow_page(request, wrong=say("Retries must be a whole number; 0 means none."))
    if times and not states:
        return await flow_page(request, wrong=say("Choose after which ends a run is retried."))
    visit.note(retry=rule if times else None)
    return await _written(request, row, {"retry": rule if times else None}, "#retries")


async def switch(request: Request) -> Response:
    """Turn a trigger on or off; the others stay as they are. It makes a version."""
    platform: Platform = request.app.state.platform
    key, chosen = request.path_params["id"], request.path_params["trigger"]
    enabled = (await fields(request, "enabled"))["enabled"] == "yes"
    now = await platform.database.read(lambda c: _now(c, key))
    if now is None or chosen not in {item["id"] for item in now[1]["triggers"]}:
        return await flow_page(request, wrong=say("There is no such trigger."))
    visit.note(enabled=enabled)
    triggers: list[Json] = [
        {"id": item["id"], "enabled": enabled if item["id"] == chosen else item["enabled"]}
        for item in now[1]["triggers"]
    ]
    return await _written(request, now[0], {"triggers": triggers}, f"?part={chosen}")


async def restore(request: Request) -> Response:
    """Make an old version the newest."""
    platform: Platform = request.app.state.platform
    key, version = request.path_params["id"], _number(request.path_params["version"]) or 0
    now = await platform.database.read(lambda c: _now(c, key))
    old = await platform.database.read(lambda c: snapshots.parts_at(c, key, version))
    if now is None or old is None:
        return await flow_page(request, wrong=say("There is no such version."))
    visit.note(version=version)
    return await _written(request, now[0], document_of(old, now[1]))


def _now(connection: Connection, workflow_id: str) -> tuple[Row, dict[str, Any]] | None:
    """The workflow's row and its parts of today."""
    row = workflows.find_workflow(connection, workflow_id)
    if row is None:
        return None
    return row, snapshots.parts_of(connection, snapshots.newest_snapshot(connection, workflow_id))


async def _written(request: Request, row: Row, members: JsonObject, query: str = "") -> Response:
    """The workflow with these members as its newest version; or the page with what is wrong."""
    platform: Platform = request.app.state.platform
    whole = {"id": row.id, "lock_version": row.lock_version, **members}
    try:
        await bring(
            platform, {"id": row.project_id, "workflows": [whole]}, dry=False, source="app"
        )
    except NotAllowedError as error:
        return message(
            403, say("Not allowed"), say("It needs %(needed)s.", needed=error.verdict.needed)
        )
    except HoldfastError as error:
        return await flow_page(request, wrong=error.message)
    return RedirectResponse(f"/workflows/{row.id}{query}", 303)

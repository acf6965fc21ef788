"""Provisioning: `openfn deploy` and `holdfast deploy` (`docs/spec/platform.md` 7.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.model.errors import HoldfastError
from holdfast.model.json import Json, JsonObject
from holdfast.model.request_body import parse_request
from holdfast.platform.access import visit
from holdfast.platform.access.guard import refusal
from holdfast.platform.access.policy import Action, Role, Verdict
from holdfast.platform.access.provisioning import judge
from holdfast.platform.project.kinds import kind_problems
from holdfast.platform.project.merge import dicts, merged, stale
from holdfast.platform.project.provision import Provision, ProvisionError, from_payload
from holdfast.platform.project.write_v1 import spec_text
from holdfast.platform.service import Platform
from holdfast.platform.store import documents, projects
from holdfast.platform.store.accounts import put_member
from holdfast.platform.store.database import Connection, Transaction
from holdfast.platform.store.triggers import webhooks_of

#: A document is laid over the project so often in all, while others change it.
_TRIES = 5
_NOT_FOUND = {"errors": {"detail": "Not Found"}}


class NotAllowedError(Exception):
    """The visitor may not do what the document asks for."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.needed)
        self.verdict = verdict


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


@dataclass(frozen=True, slots=True)
class _Done:
    """What was done, and the project as it is then."""

    imported: projects.Imported
    document: JsonObject
    webhooks: list[JsonObject]


class _Rehearsed(Exception):  # noqa: N818 - it is no error
    """Undoes what was tried."""

    def __init__(self, done: _Done) -> None:
        super().__init__()
        self.done = done


async def bring(
    platform: Platform, payload: Json, *, dry: bool, source: str = "cli"
) -> tuple[_Done, list[str]]:
    """Lay the document over the project; again when somebody else changed that meanwhile.

    What was done, and what the sender should know.
    """
    if isinstance(payload, dict) and (problems := list(kind_problems(payload))):
        raise ProvisionError(problems)  # before a list that is none counts as an empty one
    asked = payload.get("id") if isinstance(payload, dict) else None
    subject = visit.subject()
    for _ in range(_TRIES):
        current = await platform.database.read(lambda c: documents.current_document(c, asked))
        whole = merged(payload, current) if isinstance(payload, dict) else payload
        verdict = judge(subject, whole if isinstance(whole, dict) else {}, current)
        if not verdict.allowed:
            raise NotAllowedError(verdict)
        if isinstance(payload, dict) and (names := stale(payload, current)):
            message = f"others have changed since you looked: workflow {', '.join(names)}"
            raise projects.ConflictError(message, fix="Fetch the project again, then deploy.")
        provision = from_payload(whole)
        notes = await _confirm(platform, provision, current)
        resolved = await _resolve(platform, provision)
        work = partial(
            _import,
            current=current,
            provision=provision,
            resolved=resolved,
            owner=subject.user_id,
            source=source,
        )
        with suppress(projects.ChangedError):
            return await _write(platform, work, dry=dry), notes
    message = "others change the project at the same time"
    raise projects.ConflictError(message, fix="Deploy again.")


def _import(
    tx: Transaction,
    *,
    current: JsonObject | None,
    provision: Provision,
    resolved: dict[str, str],
    owner: str | None,
    source: str,
) -> projects.Imported:
    """Whoever makes a project is its owner."""
    done = projects.import_over(tx, current, provision, resolved, source)
    if done.created and owner is not None:
        put_member(tx, done.project_id, owner, Role.OWNER)
    return done


async def _write(
    platform: Platform, act: Callable[[Transaction], projects.Imported], *, dry: bool
) -> _Done:
    def work(tx: Transaction) -> _Done:
        imported = act(tx)
        key = imported.project_id
        shown = documents.document(tx.connection, key)
        done = _Done(imported, shown, webhooks_of(tx.connection, key))
        if dry:
            raise _Rehearsed(done)
        return done

    try:
        return await platform.database.write(work)
    except _Rehearsed as rehearsed:
        return rehearsed.done


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


async def _confirm(
    platform: Platform, provision: Provision, current: JsonObject | None
) -> list[str]:
    """Refuse adaptor versions that do not exist; what is in use already is not asked for."""
    names = {job.adaptor for w in provision.project.workflows for job in w.jobs}
    for workflow in dicts((current or {}).get("workflows")):
        names -= {str(job["adaptor"]) for job in dicts(workflow["jobs"])}
    words = await asyncio.gather(*(platform.confirm(name) for name in sorted(names)))
    return [text for text in words if text is not None]


async def _resolve(platform: Platform, provision: Provision) -> dict[str, str]:
    """An exact version for each adaptor, so that a run's plan never changes by itself."""
    names = sorted({job.adaptor for w in provision.project.workflows for job in w.jobs})
    versions = await asyncio.gather(*(platform.resolve(name) for name in names))
    return dict(zip(names, versions, strict=True))

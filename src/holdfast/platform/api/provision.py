"""Provisioning: `openfn deploy` and `holdfast deploy` (`docs/spec/platform.md` 7.2)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.model.errors import HoldfastError
from holdfast.model.json import Json, JsonObject, parse_document
from holdfast.platform.access import visit
from holdfast.platform.access.guard import refusal
from holdfast.platform.access.policy import Role, Verdict
from holdfast.platform.access.provisioning import judge
from holdfast.platform.project.merge import merged
from holdfast.platform.project.provision import Provision, ProvisionError, from_payload
from holdfast.platform.service import Platform
from holdfast.platform.store import projects
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
    """Make a project what the document says: 201, or 422 with what is wrong."""
    platform: Platform = request.app.state.platform
    try:
        done = await _bring(platform, await _json(request))
    except NotAllowedError as error:
        return refusal(request, error.verdict)
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


async def _bring(platform: Platform, payload: Json) -> projects.Imported:
    """Lay the document over the project; again when somebody else changed that meanwhile."""
    asked = payload.get("id") if isinstance(payload, dict) else None
    subject = visit.subject()
    for _ in range(_TRIES):
        current = await platform.database.read(lambda c: projects.current_document(c, asked))
        whole = merged(payload, current) if isinstance(payload, dict) else payload
        verdict = judge(subject, whole if isinstance(whole, dict) else {}, current)
        if not verdict.allowed:
            raise NotAllowedError(verdict)
        provision = from_payload(whole)
        resolved = await _resolve(platform, provision)
        work = partial(
            _import, current=current, provision=provision, resolved=resolved, owner=subject.user_id
        )
        with suppress(projects.ChangedError):
            return await platform.database.write(work)
    message = "others change the project at the same time"
    raise projects.ConflictError(message, fix="Deploy again.")


def _import(
    tx: Transaction,
    *,
    current: JsonObject | None,
    provision: Provision,
    resolved: dict[str, str],
    owner: str | None,
) -> projects.Imported:
    """Whoever makes a project is its owner."""
    done = projects.import_over(tx, current, provision, resolved)
    if done.created and owner is not None:
        put_member(tx, done.project_id, owner, Role.OWNER)
    return done


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

"""Connecting a credential to a provider of OAuth 2: a person goes there, consents and comes back.

The provider sends the person to `/oauth/back`. The browser keeps the session's cookie back there,
because another site leads to it. So that page only leads on to one of the project, which has it.
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from holdfast import log
from holdfast.platform import provider
from holdfast.platform.access import visit
from holdfast.platform.access.problems import AccessError
from holdfast.platform.project.rules import ENVIRONMENT, ENVIRONMENT_WORDS
from holdfast.platform.secrets import oauth, schemas
from holdfast.platform.service import Platform
from holdfast.platform.store import credentials, oauth_clients
from holdfast.platform.store.credentials import Place
from holdfast.platform.store.database import Connection, Row, Transaction
from holdfast.platform.web.account import fields
from holdfast.platform.web.language import later, say
from holdfast.platform.web.project import missing, named_project
from holdfast.platform.web.render import message, page
from holdfast.platform.web.sealed_cookie import BACK, SealedCookie, address_of, same
from holdfast.platform.web.secrets import credentials_page

_COOKIE = SealedCookie("holdfast-connecting", "/")
_OF_CLIENT = (
    "name", "client_id", "client_secret", "authorization_endpoint", "token_endpoint", "scopes",
)  # fmt: skip
_SAID = ("code", "state", "error")
_NOT_BEGUN = later(
    "This did not begin in this browser and session, or it took too long. Connect again."
)
_REFUSED = later("The provider said no (%(reason)s). Nothing was changed.")
_LATER = later("The provider could not be reached, or its answer has no token. Try again later.")
_NO_CLIENT = later(
    "There is no such OAuth client. An administrator makes one, with both endpoints."
)
_OTHER_KIND = later(
    "There is a credential of this name with the schema %(reason)s. Choose another name."
)
_NO_NAME = later("A provider needs a name of up to 255 characters.")
_NOT_NAMED = later("A name is needed. Name and owner may have 255 characters each.")


def connecting_routes() -> list[BaseRoute]:
    """There, back, and the end of it."""
    own = "/projects/{project_id}/credentials"
    return [
        Route(f"{own}/connect", leave, methods=["POST"]),
        Route(BACK, come_back),
        Route(f"{own}/connected", finish),
        Route("/projects/{project_id}/oauth_clients", set_client, methods=["POST"]),
    ]


async def set_client(request: Request) -> Response:
    """Make a client of OAuth 2, or change the one of this name, which all projects may use."""
    platform: Platform = request.app.state.platform
    project_id, project = await named_project(request)
    if not project:
        return missing()
    given = await fields(request, *_OF_CLIENT)
    name, secret = given.pop("name"), given.pop("client_secret") or None
    values = {**given, "authorization_endpoint": given["authorization_endpoint"] or None}
    problem = oauth.client_problem(values) if 0 < len(name) <= 255 else say(_NO_NAME)
    if problem is not None:
        return await credentials_page(request, error=problem.replace("_", " "))
    visit.note(name=name, token_endpoint=values["token_endpoint"])
    await platform.database.write(
        lambda tx: oauth_clients.put(tx, platform.keys, name, secret=secret, **values)
    )
    return RedirectResponse(f"/projects/{project_id}/credentials", 303)


async def leave(request: Request) -> Response:
    """Lead to the provider. A sealed cookie keeps what the coming back is held to."""
    platform: Platform = request.app.state.platform
    project_id, project = await named_project(request)
    if not project:
        return missing()
    given = await fields(request, "name", "owner", "environment", "client")
    try:
        client = await platform.database.read(lambda c: _client_for(c, project_id, given))
    except AccessError as error:
        return await credentials_page(request, error=error.message)
    begun = await provider.begin(client, address_of(request, BACK))
    visit.note(name=given["name"], owner=given["owner"], client=client.name)
    # A form may lead to our own pages only; this page leads on.
    answer = page("onward.html", title=say("To the provider"), next=begun.url)
    kept = {"project": project_id, "session": str(visit.subject().key_id), **given}
    _COOKIE.put(request, answer, {**kept, "state": begun.state, "verifier": begun.verifier})
    return answer


def _client_for(connection: Connection, project_id: str, given: dict[str, str]) -> Row:
    """The client that the form names, if the rest of it is good, too. Raises AccessError."""
    name, owner, where = given["name"], given["owner"], given["environment"]
    if not 0 < len(name) <= 255 or len(owner) > 255:
        raise AccessError(say(_NOT_NAMED))
    if where and not ENVIRONMENT.fullmatch(where):
        text = say("An environment must be %(value)s.", value=ENVIRONMENT_WORDS)
        raise AccessError(text)
    _check_kind(credentials.named(connection, project_id, owner, name))
    client = oauth_clients.find(connection, given["client"])
    if client is None or client.authorization_endpoint is None:
        raise AccessError(say(_NO_CLIENT))
    return client


def _check_kind(known: Row | None) -> None:
    """Raises AccessError where the credential of this name is no connection."""
    if known is not None and known.schema != schemas.OAUTH:
        raise AccessError(say(_OTHER_KIND, reason=known.schema))


async def come_back(request: Request) -> Response:
    """Lead on to the page of the project, with what the provider said."""
    kept = _COOKIE.read(request)
    if kept is None:
        return message(422, say("Not connected"), say(_NOT_BEGUN))
    said = {name: request.query_params[name] for name in _SAID if name in request.query_params}
    there = f"/projects/{quote(kept['project'])}/credentials/connected?{urlencode(said)}"
    return page("onward.html", title=say("Back from the provider"), next=there)


async def finish(request: Request) -> Response:
    """Change the code for a token and keep it as the credential's."""
    project_id, project = await named_project(request)
    if not project:
        return missing()
    try:
        await _connect(request, project_id)
    except AccessError as error:
        answer = await credentials_page(request, error=error.message)
    else:
        answer = RedirectResponse(f"/projects/{project_id}/credentials", 303)
    _COOKIE.remove(answer)
    return answer


async def _connect(request: Request, project_id: str) -> None:
    """Raises AccessError."""
    platform: Platform = request.app.state.platform
    said = request.query_params
    kept = _COOKIE.read(request)
    if kept is None or not _is_ours(kept, project_id, said.get("state", "")):
        raise AccessError(say(_NOT_BEGUN))
    visit.note(name=kept["name"], owner=kept["owner"])
    if "error" in said or not said.get("code"):
        raise AccessError(say(_REFUSED, reason=provider.word_of(said.get("error"))))
    client = await platform.database.read(lambda c: oauth_clients.find(c, kept["client"]))
    if client is None:
        raise AccessError(say(_NO_CLIENT))
    secret = oauth_clients.secret_of(platform.keys, client)
    back = address_of(request, BACK)
    try:
        token = await provider.token_for_code(client, secret, back, said["code"], kept["verifier"])
    except provider.RefusedError as error:
        raise AccessError(say(_REFUSED, reason=error.message)) from None
    except provider.UnreachableError as error:
        log.warn("credential.not_connected", client=client.id, why=error.message)
        raise AccessError(say(_LATER)) from None
    await platform.database.write(lambda tx: _keep(tx, platform, kept, token))


def _is_ours(kept: dict[str, Any], project_id: str, state: str) -> bool:
    """Whether this session left for this project, and comes back from there."""
    mine = (kept["project"], kept["session"]) == (project_id, visit.subject().key_id)
    return mine and same(kept["state"], state)


def _keep(
    tx: Transaction, platform: Platform, kept: dict[str, Any], token: dict[str, Any]
) -> None:
    """What the credential has besides a token stays. Raises AccessError."""
    project_id, name, owner = kept["project"], kept["name"], kept["owner"]
    known = credentials.named(tx.connection, project_id, owner, name)
    _check_kind(known)  # somebody may have made another one meanwhile
    where = kept["environment"] or credentials.environment_of(tx.connection, project_id)
    place = None if known is None else Place(known.id, where)
    body = credentials.body_at(tx.connection, platform.keys, place) if place else None
    credentials.put_credential(
        tx,
        platform.keys,
        project_id=project_id,
        name=name,
        owner=owner,
        body=oauth.connected(body or {}, token, time.time()),
        environment=where,
        schema=schemas.OAUTH,
        oauth_client_id=kept["client"],
    )

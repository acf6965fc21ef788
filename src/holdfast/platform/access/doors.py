"""Every route of the platform, and what it needs. A route without a row is refused at the start.

`docs/access.md` is made from this table, and `tests/component/platform/test_access_matrix.py` asks
at every door as every kind of visitor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from starlette.routing import BaseRoute, Match, Mount, Route, WebSocketRoute
from starlette.types import Scope

from holdfast.platform.access.policy import Action


class Way(Enum):
    """How a door is guarded."""

    #: For everybody; tells nothing of a project.
    OPEN = "open"
    #: Where people come in.
    ENTRANCE = "entrance"
    #: The webhook's own address and keys.
    WEBHOOK = "webhook"
    #: The token that a worker makes from `WORKER_SECRET`.
    WORKER = "worker"
    #: The handler asks: the project is known only from the body (`of` project), or from the name
    #: of a collection, where runs come, too.
    ASKS = "asks"
    #: A token, or for reading a session.
    API = "api"
    #: A session, and for a form its number; or a token.
    PAGE = "page"


@dataclass(frozen=True, slots=True)
class Door:
    """What a route needs. `of`: the path's `id` names one, and so the project."""

    way: Way
    action: Action | None = None
    of: str | None = None


def _api(action: Action, of: str | None = None) -> Door:
    return Door(Way.API, action, of)


def _page(action: Action, of: str | None = None) -> Door:
    return Door(Way.PAGE, action, of)


_RUN, _FLOW, _PROJECT, _ORDER, _CLIP = "run", "workflow", "project", "work_order", "dataclip"


def _items(action: Action) -> Door:
    return _page(action, _PROJECT)


DOORS: dict[str, Door] = {
    "GET /health_check": Door(Way.OPEN),
    "GET /ready": Door(Way.OPEN),
    "GET /static": Door(Way.OPEN),
    "GET /api/openapi.json": Door(Way.OPEN),
    "GET /workflow-api.yaml": Door(Way.OPEN),
    "GET /i/{path:path}": Door(Way.WEBHOOK),
    "POST /i/{path:path}": Door(Way.WEBHOOK),
    "OPTIONS /i/{path:path}": Door(Way.WEBHOOK),
    "WEBSOCKET /worker/websocket": Door(Way.WORKER),
    "GET /collections/{path:path}": Door(Way.ASKS, Action.READ_COLLECTION),
    "PUT /collections/{path:path}": Door(Way.ASKS, Action.WRITE_COLLECTION),
    "POST /collections/{path:path}": Door(Way.ASKS, Action.WRITE_COLLECTION),
    "DELETE /collections/{path:path}": Door(Way.ASKS, Action.WRITE_COLLECTION),
    # projects
    "POST /api/provision": Door(Way.ASKS, Action.DEPLOY, _PROJECT),
    "GET /api/provision/yaml": _api(Action.LOOK),  # its handler asks for the project
    "GET /api/provision/{id}": _api(Action.READ, _PROJECT),
    "GET /api/projects": _api(Action.LOOK),
    "GET /api/projects/{project_id}": _api(Action.READ, _PROJECT),
    "GET /api/workflows": _api(Action.LOOK),
    "POST /api/workflows": Door(Way.ASKS, Action.DEPLOY, _PROJECT),
    "GET /api/workflows/{id}": _api(Action.READ, _FLOW),
    "PUT /api/workflows/{id}": _api(Action.DEPLOY, _FLOW),
    "PATCH /api/workflows/{id}": _api(Action.DEPLOY, _FLOW),
    "GET /api/projects/{project_id}/workflows": _api(Action.READ, _PROJECT),
    "POST /api/projects/{project_id}/workflows": _api(Action.DEPLOY, _PROJECT),
    "GET /api/jobs": _api(Action.LOOK),
    "GET /api/jobs/{id}": _api(Action.READ, "job"),
    "GET /api/projects/{project_id}/jobs": _api(Action.READ, _PROJECT),
    "GET /api/collections": _api(Action.LOOK),
    "GET /api/projects/{project_id}/collections": _api(Action.READ, _PROJECT),
    "GET /api/credentials": _api(Action.LOOK),
    "GET /api/oauth_clients": _api(Action.LOOK),
    "POST /api/oauth_clients": _api(Action.ADMINISTER),
    "DELETE /api/oauth_clients/{id}": _api(Action.ADMINISTER),
    "GET /api/credential_schemas": _api(Action.LOOK),
    "GET /api/credential_schemas/{name}": _api(Action.LOOK),
    "POST /api/credentials": Door(Way.ASKS, Action.MANAGE, _PROJECT),
    "GET /api/credentials/{id}": _api(Action.READ, "credential"),
    "PUT /api/credentials/{id}": _api(Action.MANAGE, "credential"),
    "PATCH /api/credentials/{id}": _api(Action.MANAGE, "credential"),
    "DELETE /api/credentials/{id}": _api(Action.MANAGE, "credential"),
    "POST /api/credentials/{id}/tests": _api(Action.RUN, "credential"),
    "GET /api/credentials/{id}/tests/{run_id}": _api(Action.READ, "credential"),
    "GET /api/projects/{project_id}/keychains": _api(Action.READ, _PROJECT),
    "POST /api/projects/{project_id}/keychains": _api(Action.MANAGE, _PROJECT),
    "DELETE /api/keychains/{id}": _api(Action.MANAGE, "keychain"),
    "GET /api/projects/{project_id}/credentials": _api(Action.READ, _PROJECT),
    # runs
    "GET /api/queue": _api(Action.LOOK),
    "POST /api/queue/pause": _api(Action.ADMINISTER),
    "POST /api/queue/resume": _api(Action.ADMINISTER),
    "POST /api/workflows/{id}/pause": _api(Action.RUN, _FLOW),
    "POST /api/workflows/{id}/resume": _api(Action.RUN, _FLOW),
    "GET /api/projects/{project_id}/schedule": _api(Action.READ, _PROJECT),
    "GET /metrics": _api(Action.MONITOR),
    "GET /api/workers": _api(Action.LOOK),
    "GET /api/problems": _api(Action.LOOK),
    "GET /api/runs": _api(Action.LOOK),
    "GET /api/runs/{id}": _api(Action.READ, _RUN),
    "GET /api/runs/{id}/steps": _api(Action.READ, _RUN),
    "GET /api/runs/{id}/repeats": _api(Action.READ, _RUN),
    "GET /api/runs/{id}/logs": _api(Action.READ, _RUN),
    "GET /api/runs/{id}/logs/search": _api(Action.READ, _RUN),
    "POST /api/runs/{id}/retry": _api(Action.RUN, _RUN),
    "POST /api/runs/{id}/cancel": _api(Action.RUN, _RUN),
    "GET /api/search": _api(Action.LOOK),
    "GET /api/projects/{project_id}/search": _api(Action.READ, _PROJECT),
    "GET /api/work_orders": _api(Action.LOOK),
    "GET /api/work_orders/{id}": _api(Action.READ, _ORDER),
    "GET /api/log_lines": _api(Action.LOOK),
    "GET /api/dataclips/{id}/body": _api(Action.READ, _CLIP),
    "POST /api/workflows/{id}/runs": _api(Action.RUN, _FLOW),
    "GET /api/projects/{project_id}/runs": _api(Action.READ, _PROJECT),
    "GET /api/projects/{project_id}/work_orders": _api(Action.READ, _PROJECT),
    "POST /api/projects/{project_id}/credentials": _api(Action.MANAGE, _PROJECT),
    # who may come in
    "POST /api/session_links": _api(Action.ACCOUNT),
    "GET /api/me": _api(Action.LOOK),
    "POST /api/keys/rotate": _api(Action.ADMINISTER),
    "GET /api/audit": _api(Action.ADMINISTER),
    "GET /api/projects/{project_id}/audit": _api(Action.MANAGE, _PROJECT),
    "GET /api/users": _api(Action.ADMINISTER),
    "POST /api/users": _api(Action.ADMINISTER),
    "PATCH /api/users/{id}": _api(Action.ADMINISTER),
    "POST /api/users/{id}/links": _api(Action.ADMINISTER),
    "GET /api/projects/{project_id}/members": _api(Action.READ, _PROJECT),
    "PUT /api/projects/{project_id}/members/{user}": _api(Action.MANAGE, _PROJECT),
    "DELETE /api/projects/{project_id}/members/{user}": _api(Action.MANAGE, _PROJECT),
    "GET /api/tokens": _api(Action.ACCOUNT),
    "POST /api/tokens": _api(Action.ACCOUNT),
    "DELETE /api/tokens/{id}": _api(Action.ACCOUNT),
    "GET /api/projects/{project_id}/tokens": _api(Action.MANAGE, _PROJECT),
    "POST /api/projects/{project_id}/tokens": _api(Action.MANAGE, _PROJECT),
    "DELETE /api/projects/{project_id}/tokens/{id}": _api(Action.MANAGE, _PROJECT),
    "GET /api/projects/{project_id}/bulk_actions": _api(Action.READ, _PROJECT),
    "POST /api/projects/{project_id}/bulk_actions": _api(Action.RUN, _PROJECT),
    "GET /api/projects/{project_id}/bulk_actions/{id}": _api(Action.READ, _PROJECT),
    "POST /api/projects/{project_id}/bulk_actions/{id}/stop": _api(Action.RUN, _PROJECT),
    "GET /api/projects/{project_id}/retention": _api(Action.READ, _PROJECT),
    "PUT /api/projects/{project_id}/retention": _api(Action.MANAGE, _PROJECT),
    "POST /api/projects/{project_id}/retention/apply": _api(Action.MANAGE, _PROJECT),
    "GET /api/projects/{project_id}/webhook_keys": _api(Action.MANAGE, _PROJECT),
    "PUT /api/projects/{project_id}/webhook_keys/{name}": _api(Action.MANAGE, _PROJECT),
    "DELETE /api/projects/{project_id}/webhook_keys/{name}": _api(Action.MANAGE, _PROJECT),
    "GET /api/projects/{project_id}/alerts": _api(Action.MANAGE, _PROJECT),
    "POST /api/projects/{project_id}/alerts": _api(Action.MANAGE, _PROJECT),
    "DELETE /api/projects/{project_id}/alerts/{id}": _api(Action.MANAGE, _PROJECT),
    "POST /api/projects/{project_id}/alerts/{id}/test": _api(Action.MANAGE, _PROJECT),
    "GET /api/sessions": _api(Action.ACCOUNT),
    "DELETE /api/sessions": _api(Action.ACCOUNT),
    "DELETE /api/sessions/{id}": _api(Action.ACCOUNT),
    # pages
    "GET /": _page(Action.LOOK),
    "GET /events": _page(Action.LOOK),
    "POST /queue/pause": _page(Action.ADMINISTER),
    "POST /queue/resume": _page(Action.ADMINISTER),
    "GET /runs": _page(Action.LOOK),
    "GET /work_orders": _page(Action.LOOK),
    "GET /problems": _page(Action.LOOK),
    "GET /actions": _page(Action.LOOK),
    "GET /actions/new": _page(Action.LOOK),  # its handler asks for the project
    "POST /projects/{project_id}/actions": _page(Action.RUN, _PROJECT),
    "GET /projects/{project_id}/actions/{id}": _page(Action.READ, _PROJECT),
    "POST /projects/{project_id}/actions/{id}/stop": _page(Action.RUN, _PROJECT),
    "POST /runs/chosen": _page(Action.LOOK),  # its handler asks for the project of each run
    "GET /runs/{id}": _page(Action.READ, _RUN),
    "GET /runs/{id}/events": _page(Action.READ, _RUN),
    "GET /runs/{id}/log.txt": _page(Action.READ, _RUN),
    "GET /runs/{id}/compare": _page(Action.READ, _RUN),
    "GET /runs/{id}/case.yaml": _page(Action.READ, _RUN),
    "GET /runs/{id}/recording.json": _page(Action.READ, _RUN),
    "POST /runs/{id}/retry": _page(Action.RUN, _RUN),
    "POST /runs/{id}/cancel": _page(Action.RUN, _RUN),
    "GET /workflows/{id}": _page(Action.READ, _FLOW),
    "POST /workflows/{id}/run": _page(Action.RUN, _FLOW),
    "GET /workflows/{id}/edit": _page(Action.DEPLOY, _FLOW),
    "POST /workflows/{id}/edit": _page(Action.DEPLOY, _FLOW),
    "POST /workflows/{id}/draft": _page(Action.DEPLOY, _FLOW),
    "POST /workflows/{id}/move": _page(Action.DEPLOY, _FLOW),  # its handler asks for items, too
    "POST /workflows/{id}/check": _page(Action.DEPLOY, _FLOW),
    "POST /projects": _page(Action.LOOK),  # its handler asks
    "GET /import": _page(Action.LOOK),
    "POST /import": _page(Action.LOOK),  # its handler asks
    "GET /projects/{project_id}/file": _page(Action.READ, _PROJECT),
    "GET /projects/{project_id}/project.yaml": _page(Action.READ, _PROJECT),
    "POST /projects/{project_id}/workflows": _page(Action.DEPLOY, _PROJECT),
    "GET /workflows/{id}/workflow.yaml": _page(Action.READ, _FLOW),
    "POST /workflows/{id}/pause": _page(Action.RUN, _FLOW),
    "POST /workflows/{id}/resume": _page(Action.RUN, _FLOW),
    "POST /workflows/{id}/retries": _page(Action.DEPLOY, _FLOW),
    "POST /workflows/{id}/triggers/{trigger}": _page(Action.DEPLOY, _FLOW),
    "POST /workflows/{id}/versions/{version}/restore": _page(Action.DEPLOY, _FLOW),
    "GET /workers": _page(Action.LOOK),
    "GET /styleguide": _page(Action.LOOK),
    "GET /api-page": _page(Action.LOOK),
    "GET /login": Door(Way.ENTRANCE),
    "POST /login": Door(Way.ENTRANCE),
    "GET /login/sso": Door(Way.ENTRANCE),
    "GET /login/sso/back": Door(Way.ENTRANCE),
    "GET /session/{code}": Door(Way.ENTRANCE),
    "POST /logout": _page(Action.ACCOUNT),
    "GET /account": _page(Action.ACCOUNT),
    "POST /account": _page(Action.ACCOUNT),
    "POST /account/password": _page(Action.ACCOUNT),
    "POST /account/tokens": _page(Action.ACCOUNT),
    "POST /account/tokens/{id}/revoke": _page(Action.ACCOUNT),
    "POST /account/sessions/{id}/end": _page(Action.ACCOUNT),
    "POST /views": _page(Action.ACCOUNT),
    "POST /views/{id}/rename": _page(Action.ACCOUNT),
    "POST /views/{id}/remove": _page(Action.ACCOUNT),
    "GET /users": _page(Action.ADMINISTER),
    "GET /settings": _page(Action.ADMINISTER),
    "GET /audit": _page(Action.ADMINISTER),
    "GET /projects/{project_id}/audit": _page(Action.MANAGE, _PROJECT),
    "POST /users": _page(Action.ADMINISTER),
    "POST /users/{id}": _page(Action.ADMINISTER),
    "GET /projects/{project_id}/members": _page(Action.READ, _PROJECT),
    "POST /projects/{project_id}/members": _page(Action.MANAGE, _PROJECT),
    "POST /projects/{project_id}/members/{user}/remove": _page(Action.MANAGE, _PROJECT),
    "GET /projects/{project_id}/credentials": _page(Action.READ, _PROJECT),
    "POST /projects/{project_id}/credentials": _page(Action.MANAGE, _PROJECT),
    "POST /projects/{project_id}/credentials/connect": _page(Action.MANAGE, _PROJECT),
    "GET /projects/{project_id}/credentials/connected": _page(Action.MANAGE, _PROJECT),
    "POST /projects/{project_id}/oauth_clients": _page(Action.ADMINISTER),
    "GET /oauth/back": Door(Way.ENTRANCE),  # leads on to the page above
    "POST /projects/{project_id}/credentials/{id}/remove": _page(Action.MANAGE, _PROJECT),
    "POST /projects/{project_id}/credentials/{id}/test": _page(Action.RUN, _PROJECT),
    "GET /projects/{project_id}/collections": _page(Action.READ, _PROJECT),
    "POST /projects/{project_id}/collections": _page(Action.DEPLOY, _PROJECT),
    "GET /projects/{project_id}/collections/{name}": _items(Action.READ_COLLECTION),
    "POST /projects/{project_id}/collections/{name}": _items(Action.WRITE_COLLECTION),
    "GET /projects/{project_id}/collections/{name}/items.jsonl": _items(Action.READ_COLLECTION),
    "POST /projects/{project_id}/collections/{name}/remove": _page(Action.DEPLOY, _PROJECT),
    "POST /projects/{project_id}/collections/{name}/items/remove": _items(Action.WRITE_COLLECTION),
    "POST /projects/{project_id}/collections/{name}/items/clear": _items(Action.CLEAR_COLLECTION),
    "GET /projects/{project_id}/retention": _page(Action.READ, _PROJECT),
    "POST /projects/{project_id}/retention": _page(Action.MANAGE, _PROJECT),
    "GET /projects/{project_id}/keys": _page(Action.MANAGE, _PROJECT),
    "POST /projects/{project_id}/tokens": _page(Action.MANAGE, _PROJECT),
    "POST /projects/{project_id}/tokens/{id}/revoke": _page(Action.MANAGE, _PROJECT),
    "POST /projects/{project_id}/webhook_keys": _page(Action.MANAGE, _PROJECT),
    "POST /projects/{project_id}/webhook_keys/{name}/remove": _page(Action.MANAGE, _PROJECT),
    "GET /projects/{project_id}/alerts": _page(Action.MANAGE, _PROJECT),
    "POST /projects/{project_id}/alerts": _page(Action.MANAGE, _PROJECT),
    "POST /projects/{project_id}/alerts/{id}/remove": _page(Action.MANAGE, _PROJECT),
    "POST /projects/{project_id}/alerts/{id}/test": _page(Action.MANAGE, _PROJECT),
}


class NoRowError(Exception):
    """A route has no row in `DOORS`: nobody has decided who may use it."""


def names(route: BaseRoute) -> Iterator[str]:
    """The rows that a route needs."""
    if isinstance(route, Mount):
        yield f"GET {route.path}"
    elif isinstance(route, WebSocketRoute):
        yield f"WEBSOCKET {route.path}"
    elif isinstance(route, Route):
        for method in sorted(route.methods or ()):
            if method != "HEAD":
                yield f"{method} {route.path}"


def check_rows(routes: Sequence[BaseRoute]) -> None:
    """Raises NoRowError."""
    missing = [name for route in routes for name in names(route) if name not in DOORS]
    if missing:
        message = f"no row in access/doors.py and docs/access.md for {', '.join(missing)}"
        raise NoRowError(message)


def door_of(routes: Sequence[BaseRoute], scope: Scope) -> tuple[str, dict[str, str]] | None:
    """The row of the door that a request came to and what its path names; None: there is none.

    A method that a path does not have comes to the door of another of its methods, and a folder of
    files has one door for all of them.
    """
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    other: tuple[str, dict[str, str]] | None = None
    for route in routes:
        match, found = route.matches(scope)
        named = found.get("path_params", {})
        if match is Match.FULL:
            one = isinstance(route, Mount)
            return next(names(route)) if one else f"{method} {getattr(route, 'path', '')}", named
        if match is Match.PARTIAL and other is None:
            other = next(names(route)), named
    return other

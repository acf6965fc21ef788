"""The API's description in OpenAPI 3.1, made from the routes, their docstrings and their doors."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from holdfast import __version__
from holdfast.model.json import Json, JsonObject
from holdfast.platform.access.doors import DOORS, Way
from holdfast.platform.access.policy import RULES, Role, Scope
from holdfast.platform.api.answers import ANSWERS, Schemas
from holdfast.platform.project.access import KEY_TYPES
from holdfast.platform.project.writing import to_yaml
from holdfast.platform.store.history_query import FILTERS, PLACES

_DESCRIBED = ("/api/", "/collections/", "/i/")
_PARAMETER = re.compile(r"\{(\w+)(?::path)?\}")
_TEXT: JsonObject = {"type": "string"}
_TIME: JsonObject = {"type": "string", "description": "ISO 8601, such as 2026-01-31T12:00:00Z"}
_ITEM: JsonObject = {
    "type": "object",
    "required": ["key", "value"],
    "properties": {"key": _TEXT, "value": _TEXT},
}
_OBJECT: JsonObject = {"type": "object"}
_CREDENTIAL: JsonObject = {
    "name": _TEXT,
    "owner": _TEXT,
    "schema": _TEXT,
    "environment": _TEXT,
    "external_id": {"type": ["string", "null"]},
    "oauth_client_id": {"type": ["string", "null"]},
    "body": _OBJECT,
}
_ACCOUNT: JsonObject = {
    "email": _TEXT,
    "name": _TEXT,
    "administrator": {"type": "boolean"},
    "password": _TEXT,
}
_TOKEN: JsonObject = {
    "name": _TEXT,
    "scopes": {
        "type": "array",
        "items": {"type": "string", "enum": [str(scope) for scope in Scope]},
    },
    "expires_at": {"type": ["string", "null"]},
}
_WORKFLOW: JsonObject = {
    "type": "object",
    "properties": {
        "name": _TEXT,
        "concurrency": {"type": ["integer", "null"]},
        "jobs": {"type": "array", "items": _OBJECT},
        "triggers": {"type": "array", "items": _OBJECT},
        "edges": {"type": "array", "items": _OBJECT},
    },
}
_LIST = re.compile(r"/api/(?:projects/\{project_id\}/)?(\w+)")
#: By the end of its path: filters of a list, and times that limit it (`<time>_after`, `_before`).
_LISTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "runs": ((*FILTERS, *PLACES), ("inserted", "updated")),
    "search": (("q", "in", "after", *FILTERS), ("inserted", "updated")),
    "work_orders": ((*FILTERS, *PLACES), ("inserted", "updated")),
    "log_lines": (
        ("run_id", "level", "step_id", "project_id", "workflow_id", "work_order_id", "job_id"),
        ("timestamp",),
    ),
    "projects": (("name",), ("inserted", "updated")),
    "workflows": (("project_id", "name"), ("inserted", "updated")),
    "jobs": (("project_id", "workflow_id", "name"), ()),
    "credentials": (("project_id", "name", "schema"), ("inserted", "updated")),
    "collections": (("project_id", "name"), ("inserted", "updated")),
}
#: Lists whose pages have no numbers.
_WITHOUT_NUMBERS = {"search"}
_QUERIES: dict[str, tuple[str, ...]] = {
    "GET /api/problems": ("project_id", "workflow_id"),
    "GET /api/runs/{id}/repeats": ("step_id",),
    "GET /api/audit": ("before", "actor", "limit"),
    "GET /api/projects/{project_id}/audit": ("before", "actor", "limit"),
    "GET /api/dataclips/{id}/body": ("as",),
    "GET /api/runs/{id}/logs": ("after", "limit"),
    "GET /api/runs/{id}/logs/search": ("q", "after", "limit"),
    "GET /api/provision/yaml": ("id",),
    "GET /api/projects/{project_id}/schedule": ("count",),
    "POST /api/provision": ("dry_run",),
    "GET /collections/{path}": ("key", "limit", "cursor", "created_after", "created_before",
                                "updated_after", "updated_before", "project_id"),
    "DELETE /collections/{path}": ("key", "project_id"),
    "DELETE /api/credentials/{id}": ("environment",),
}  # fmt: skip
_BODIES: dict[str, JsonObject] = {
    "POST /api/provision": {
        "type": "object",
        "properties": {"id": _TEXT, "name": _TEXT, "workflows": {"type": "array"}},
    },
    "POST /api/workflows": _WORKFLOW,
    "PUT /api/workflows/{id}": _WORKFLOW,
    "PATCH /api/workflows/{id}": _WORKFLOW,
    "POST /api/projects/{project_id}/workflows": _WORKFLOW,
    "POST /api/workflows/{id}/runs": {
        "type": "object",
        "properties": {"input": _OBJECT, "dataclip_id": _TEXT, "job_id": _TEXT},
    },
    "POST /api/runs/{id}/retry": {"type": "object", "properties": {"step_id": _TEXT}},
    "POST /api/credentials": {
        "type": "object",
        "required": ["project_id", "name", "body"],
        "properties": {"project_id": _TEXT, **_CREDENTIAL},
    },
    "POST /api/projects/{project_id}/credentials": {
        "type": "object",
        "required": ["name", "body"],
        "properties": _CREDENTIAL,
    },
    "PUT /api/credentials/{id}": {"type": "object", "properties": _CREDENTIAL},
    "PATCH /api/credentials/{id}": {"type": "object", "properties": _CREDENTIAL},
    "POST /api/oauth_clients": {
        "type": "object",
        "required": ["name", "client_id", "token_endpoint"],
        "properties": {
            "name": _TEXT,
            "client_id": _TEXT,
            "client_secret": {"type": ["string", "null"]},
            "token_endpoint": _TEXT,
            "authorization_endpoint": {"type": ["string", "null"]},
            "scopes": {"type": "array", "items": _TEXT},
        },
    },
    "POST /api/projects/{project_id}/keychains": {
        "type": "object",
        "required": ["name", "path"],
        "properties": {
            "name": _TEXT,
            "path": _TEXT,
            "default_credential_id": {"type": ["string", "null"]},
        },
    },
    "POST /collections/{path}": {
        "type": "object",
        "required": ["items"],
        "properties": {"items": {"type": "array", "items": _ITEM}},
    },
    "POST /api/projects/{project_id}/alerts": {
        "type": "object",
        "properties": {
            "webhook": _TEXT,
            "mail": _TEXT,
            "events": {"type": "array", "items": _TEXT},
            "queue_seconds": {"type": "integer"},
            "digest_minutes": {"type": "integer"},
        },
    },
    "POST /api/projects/{project_id}/bulk_actions": {
        "type": "object",
        "required": ["action"],
        "properties": {
            "action": {"type": "string", "enum": ["retry", "cancel"]},
            "filters": _OBJECT,
            "dry_run": {"type": "boolean"},
        },
    },
    "PUT /api/projects/{project_id}/retention": {
        "type": "object",
        "properties": {
            name: {"type": ["integer", "null"]} for name in ("documents", "logs", "runs")
        },
    },
    "POST /api/projects/{project_id}/retention/apply": {
        "type": "object",
        "properties": {"dry_run": {"type": "boolean"}},
    },
    "PUT /collections/{path}": {"type": "object", "properties": {"value": _TEXT}},
    "POST /api/users": {"type": "object", "required": ["email"], "properties": _ACCOUNT},
    "PATCH /api/users/{id}": {
        "type": "object",
        "properties": {**_ACCOUNT, "disabled": {"type": "boolean"}},
    },
    "PUT /api/projects/{project_id}/members/{user}": {
        "type": "object",
        "required": ["role"],
        "properties": {"role": {"type": "string", "enum": [str(role) for role in Role]}},
    },
    "POST /api/tokens": {
        "type": "object",
        "required": ["name"],
        "properties": {**_TOKEN, "project": _TEXT},
    },
    "POST /api/projects/{project_id}/tokens": {
        "type": "object",
        "required": ["name"],
        "properties": {
            **_TOKEN,
            "role": {"type": "string", "enum": ["viewer", "editor", "admin"]},
        },
    },
    "PUT /api/projects/{project_id}/webhook_keys/{name}": {
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": {"type": "string", "enum": list(KEY_TYPES)},
            "secret": _TEXT,
            "username": _TEXT,
            "password": _TEXT,
            "window_seconds": {"type": ["integer", "null"]},
            "keep_old_seconds": {"type": ["integer", "null"]},
        },
    },
}
#: What an operation answers when it worked, unless it is 200.
_STATUS: dict[str, int] = {
    "POST /api/provision": 201,
    "POST /api/projects/{project_id}/bulk_actions": 202,
    "POST /api/workflows": 201,
    "POST /api/projects/{project_id}/workflows": 201,
    "POST /api/workflows/{id}/runs": 201,
    "POST /api/credentials": 201,
    "POST /api/credentials/{id}/tests": 201,
    "POST /api/oauth_clients": 201,
    "DELETE /api/oauth_clients/{id}": 204,
    "POST /api/projects/{project_id}/credentials": 201,
    "POST /api/projects/{project_id}/keychains": 201,
    "DELETE /api/keychains/{id}": 204,
    "POST /api/runs/{id}/retry": 201,
    "POST /api/projects/{project_id}/alerts": 201,
    "DELETE /api/projects/{project_id}/alerts/{id}": 204,
    "POST /api/projects/{project_id}/alerts/{id}/test": 202,
    "DELETE /api/credentials/{id}": 204,
    "POST /api/session_links": 201,
    "POST /api/users": 201,
    "POST /api/users/{id}/links": 201,
    "POST /api/tokens": 201,
    "POST /api/projects/{project_id}/tokens": 201,
    "DELETE /api/tokens/{id}": 204,
    "DELETE /api/projects/{project_id}/tokens/{id}": 204,
    "DELETE /api/projects/{project_id}/members/{user}": 204,
    "DELETE /api/projects/{project_id}/webhook_keys/{name}": 204,
    "DELETE /api/sessions": 204,
    "DELETE /api/sessions/{id}": 204,
}
#: What answers text.
_TEXTS: dict[str, str] = {"GET /api/provision/yaml": "text/yaml"}
_PROBLEM_SCHEMA = "#/components/schemas/Problem"
_PROBLEM: JsonObject = {
    "type": "object",
    "description": "What is wrong (RFC 9457).",
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "instance": _TEXT,
    },
}


async def openapi_json(request: Request) -> Response:
    """This description, as JSON."""
    return JSONResponse(description_of(request.app.routes))


async def openapi_yaml(request: Request) -> Response:
    """This description, as YAML."""
    return Response(to_yaml(description_of(request.app.routes)), media_type="application/yaml")


def description_of(routes: Sequence[BaseRoute]) -> JsonObject:
    """The whole document."""
    paths: dict[str, Any] = {}
    schemas = Schemas()
    for key, path, method, route in operations(routes):
        told = _operation(key, path, method, route)
        told["responses"] = _responses(key, schemas)
        paths.setdefault(path, {})[method.lower()] = told
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Holdfast",
            "version": __version__,
            "description": "Runs workflows and never loses a run.",
        },
        "paths": paths,
        "components": {
            "schemas": {"Problem": _PROBLEM, **dict(sorted(schemas.components.items()))},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def operations(routes: Iterable[BaseRoute]) -> Iterator[tuple[str, str, str, Route]]:
    """Name, path, method and route of everything that is described."""
    for route in routes:
        if isinstance(route, Route) and route.path.startswith(_DESCRIBED):
            path = _PARAMETER.sub(r"{\1}", route.path)
            for method in sorted(route.methods or ()):
                if method not in {"HEAD", "OPTIONS"}:
                    yield f"{method} {path}", path, method, route


def _operation(key: str, path: str, method: str, route: Route) -> JsonObject:
    door = DOORS[f"{method} {route.path}"]
    said = inspect.cleandoc(_docstring(route.endpoint)) or key
    summary, _, rest = said.partition("\n\n")
    parameters: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": _TEXT}
        for name in _PARAMETER.findall(route.path)
    ]
    asked = _query(key, path, method)
    parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in asked]
    operation: JsonObject = {
        "operationId": re.sub(r"\W+", "_", key).strip("_").lower(),
        "summary": " ".join(summary.split()),
        "tags": [path.split("/")[2] if path.startswith("/api/") else path.split("/")[1]],
        "parameters": parameters,
    }
    if rest:
        operation["description"] = rest
    if door.way in {Way.API, Way.ASKS}:
        operation["security"] = [{"token": []}]
    if door.action is not None:
        rule = RULES[door.action]
        operation["x-scope"] = str(rule.scope)
        operation["x-role"] = str(rule.role) if rule.role else None
        if rule.administrator:
            operation["x-role"] = "administrator"
    if (body := _BODIES.get(key)) is not None:
        operation["requestBody"] = {"content": {"application/json": {"schema": body}}}
    return operation


def _responses(key: str, schemas: Schemas) -> JsonObject:
    worked: JsonObject = {"description": "It worked."}
    if key in ANSWERS:
        worked["content"] = {"application/json": {"schema": schemas.of(ANSWERS[key])}}
    elif key in _TEXTS:
        worked["content"] = {_TEXTS[key]: {"schema": _TEXT}}
    wrong: JsonObject = {
        "description": "It did not.",
        "content": {"application/problem+json": {"schema": {"$ref": _PROBLEM_SCHEMA}}},
    }
    return {str(_STATUS.get(key, 200)): worked, "default": wrong}


def _docstring(endpoint: Any) -> str:
    while isinstance(endpoint, functools.partial):
        endpoint = endpoint.func
    return inspect.unwrap(endpoint).__doc__ or ""


def _query(key: str, path: str, method: str) -> Iterator[tuple[str, JsonObject]]:
    for name in _QUERIES.get(key, ()):
        yield name, _TEXT
    found = _LIST.fullmatch(path)
    if method != "GET" or found is None:
        return
    listed = found[1]
    names, times = _LISTS.get(listed, ((), ()))
    if names and listed not in _WITHOUT_NUMBERS:
        yield "page", {"type": "integer", "minimum": 1, "default": 1}
    if names:
        yield "page_size", {"type": "integer", "minimum": 1, "maximum": 100, "default": 10}
    for name in names:
        if f"{{{name}}}" not in path:
            yield name, _TEXT
    for name in times:
        yield f"{name}_after", _TIME
        yield f"{name}_before", _TIME

"""What each operation answers when it worked, and how its type looks in JSON Schema.

The types are those of the client (`holdfast/model/answers/`).
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import (
    Any,
    NotRequired,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from holdfast.model import answers as a
from holdfast.model.json import Json, JsonObject

_PLAIN: Mapping[Any, str] = {
    str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null",
}  # fmt: skip
_DOCUMENT = dict[str, Any]
#: Operation -> the type of its JSON. What is not here answers no JSON, or nothing (204).
ANSWERS: Mapping[str, Any] = {
    "GET /api/openapi.json": _DOCUMENT,
    "POST /api/provision": a.Deployed,
    "GET /api/provision/{id}": a.One[_DOCUMENT],
    "POST /api/session_links": a.Link,
    "GET /api/queue": a.Queue,
    "POST /api/queue/pause": a.Queue,
    "POST /api/queue/resume": a.Queue,
    "POST /api/workflows/{id}/pause": a.One[a.Paused],
    "POST /api/workflows/{id}/resume": a.One[a.Paused],
    "GET /api/projects/{project_id}/schedule": a.Many[a.Schedule],
    "GET /api/workers": a.Many[a.Worker],
    "GET /api/problems": a.Problems,
    "GET /api/runs": a.Page[a.Item[a.Run]],
    "GET /api/runs/{id}": a.One[a.Item[a.Run]],
    "GET /api/runs/{id}/steps": a.Many[a.Step],
    "GET /api/runs/{id}/repeats": a.One[a.Repeats],
    "GET /api/runs/{id}/logs": a.Log,
    "GET /api/runs/{id}/logs/search": a.FoundLines,
    "POST /api/runs/{id}/retry": a.Created,
    "POST /api/runs/{id}/cancel": a.Cancelled,
    "GET /api/search": a.SearchPage,
    "GET /api/projects/{project_id}/search": a.SearchPage,
    "GET /api/projects/{project_id}/bulk_actions": a.Many[a.BulkAction],
    "POST /api/projects/{project_id}/bulk_actions": a.BulkBegun,
    "GET /api/projects/{project_id}/bulk_actions/{id}": a.One[a.BulkAction],
    "POST /api/projects/{project_id}/bulk_actions/{id}/stop": a.One[a.BulkAction],
    "GET /api/work_orders": a.Page[a.Item[a.WorkOrder]],
    "GET /api/work_orders/{id}": a.One[a.Item[a.WorkOrder]],
    "GET /api/log_lines": a.Page[a.Item[a.LogLine]],
    "GET /api/dataclips/{id}/body": Any,
    "GET /api/projects": a.Page[a.Item[a.Project]],
    "GET /api/projects/{project_id}": a.One[a.Item[a.Project]],
    "GET /api/workflows": a.WorkflowPage,
    "POST /api/workflows": a.WorkflowAnswer,
    "GET /api/workflows/{id}": a.WorkflowAnswer,
    "PATCH /api/workflows/{id}": a.WorkflowAnswer,
    "PUT /api/workflows/{id}": a.WorkflowAnswer,
    "GET /api/projects/{project_id}/workflows": a.WorkflowPage,
    "POST /api/projects/{project_id}/workflows": a.WorkflowAnswer,
    "GET /api/jobs": a.Page[a.Item[a.Job]],
    "GET /api/jobs/{id}": a.One[a.Item[a.Job]],
    "GET /api/projects/{project_id}/jobs": a.Page[a.Item[a.Job]],
    "GET /api/collections": a.Page[a.Item[a.Collection]],
    "GET /api/projects/{project_id}/collections": a.Page[a.Item[a.Collection]],
    "POST /api/workflows/{id}/runs": a.Created,
    "GET /api/projects/{project_id}/runs": a.Page[a.Item[a.Run]],
    "GET /api/projects/{project_id}/work_orders": a.Page[a.Item[a.WorkOrder]],
    "GET /api/me": a.One[a.Me],
    "POST /api/keys/rotate": a.One[a.Rotated],
    "GET /api/audit": a.Many[a.Event],
    "GET /api/projects/{project_id}/audit": a.Many[a.Event],
    "GET /api/users": a.Many[a.User],
    "POST /api/users": a.NewUser,
    "PATCH /api/users/{id}": a.One[a.User],
    "POST /api/users/{id}/links": a.Link,
    "GET /api/projects/{project_id}/members": a.Many[a.Member],
    "PUT /api/projects/{project_id}/members/{user}": a.One[a.Membership],
    "GET /api/tokens": a.Many[a.Token],
    "POST /api/tokens": a.NewToken,
    "GET /api/projects/{project_id}/tokens": a.Many[a.Token],
    "POST /api/projects/{project_id}/tokens": a.NewToken,
    "GET /api/projects/{project_id}/webhook_keys": a.Many[a.WebhookKey],
    "PUT /api/projects/{project_id}/webhook_keys/{name}": a.NewKey,
    "GET /api/projects/{project_id}/retention": a.One[a.Retention],
    "PUT /api/projects/{project_id}/retention": a.One[a.Retention],
    "POST /api/projects/{project_id}/retention/apply": a.Removed,
    "GET /api/projects/{project_id}/alerts": a.Many[a.Alert],
    "POST /api/projects/{project_id}/alerts": a.One[a.AlertId],
    "POST /api/projects/{project_id}/alerts/{id}/test": a.One[a.AlertId],
    "GET /api/sessions": a.Many[a.Session],
    "GET /api/oauth_clients": a.Many[a.OAuthClient],
    "POST /api/oauth_clients": a.One[a.OAuthClient],
    "GET /api/credential_schemas": a.Many[str],
    "GET /api/credential_schemas/{name}": a.One[a.CredentialSchema],
    "GET /api/credentials": a.Page[a.Item[a.Credential]],
    "POST /api/credentials": a.One[a.Item[a.Credential]],
    "GET /api/credentials/{id}": a.One[a.Item[a.Credential]],
    "PUT /api/credentials/{id}": a.One[a.Item[a.Credential]],
    "PATCH /api/credentials/{id}": a.One[a.Item[a.Credential]],
    "POST /api/credentials/{id}/tests": a.One[a.CredentialTest],
    "GET /api/credentials/{id}/tests/{run_id}": a.One[a.CredentialTest],
    "GET /api/projects/{project_id}/credentials": a.Page[a.Item[a.Credential]],
    "POST /api/projects/{project_id}/credentials": a.One[a.Item[a.Credential]],
    "GET /api/projects/{project_id}/keychains": a.Many[a.Keychain],
    "POST /api/projects/{project_id}/keychains": a.One[a.Keychain],
    "DELETE /collections/{path}": a.Deleted,
    "GET /collections/{path}": a.CollectionPage | a.CollectionItem,
    "POST /collections/{path}": a.Upserted,
    "PUT /collections/{path}": a.Upserted,
}


class Schemas:
    """JSON Schemas of types; those with names are components of the document.

    `closed`: no members but those of the type, for tests. The document leaves it open, so that a
    newer platform may say more.
    """

    def __init__(self, *, closed: bool = False) -> None:
        self._closed = closed
        self.components: dict[str, Json] = {}

    def of(self, kind: Any) -> JsonObject:
        """The schema of a type."""
        origin = get_origin(kind)
        if kind is Any:
            return {}
        if (name := _PLAIN.get(kind)) is not None:
            return {"type": name}
        if origin is dict:
            return {"type": "object", "additionalProperties": self.of(get_args(kind)[1])}
        if origin is list:
            return {"type": "array", "items": self.of(get_args(kind)[0])}
        if origin in {Union, types.UnionType}:
            return {"anyOf": [self.of(part) for part in get_args(kind)]}
        return self._component(kind)

    def _component(self, kind: Any) -> JsonObject:
        name = name_of(kind)
        if name not in self.components:
            self.components[name] = {}  # a type may contain itself
            self.components[name] = self._object(kind)
        return {"$ref": f"#/components/schemas/{name}"}

    def _object(self, kind: Any) -> JsonObject:
        bare = get_origin(kind) or kind
        assert is_typeddict(bare), kind
        given = dict(zip(getattr(bare, "__parameters__", ()), get_args(kind), strict=True))
        members: JsonObject = {}
        required: list[Json] = []
        for name, hint in get_type_hints(bare, include_extras=True).items():
            optional = get_origin(hint) is NotRequired
            members[name] = self.of(_filled(get_args(hint)[0] if optional else hint, given))
            required += [] if optional else [name]
        schema: JsonObject = {"type": "object", "properties": members, "required": required}
        schema["description"] = (bare.__doc__ or "").strip()
        return schema | ({"additionalProperties": False} if self._closed else {})


def name_of(kind: Any) -> str:
    """The name of a type as a component: `Page[Item[Run]]` is `PageItemRun`."""
    origin = get_origin(kind)
    if origin is dict:
        return "Document"
    bare = (
        str((origin or kind).__name__).capitalize() if kind is str else (origin or kind).__name__
    )
    return bare + "".join(name_of(part) for part in get_args(kind))


def _filled(hint: Any, given: Mapping[Any, Any]) -> Any:
    """The hint with its type variables replaced."""
    if isinstance(hint, TypeVar):
        return given[hint]
    parameters = getattr(hint, "__parameters__", ())
    return hint[tuple(given[name] for name in parameters)] if parameters else hint

"""The page on which the API can be read and tried, without a network."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from holdfast.model.json import JsonObject
from holdfast.platform.web.render import page

#: The OpenAPI document of routes.
Describe = Callable[[Sequence[BaseRoute]], JsonObject]


def api_page_routes(describe: Describe) -> list[BaseRoute]:
    """The page; `describe` tells what it shows."""
    return [Route("/api-page", partial(_api_page, describe=describe))]


async def _api_page(request: Request, describe: Describe) -> Response:
    """Every operation, with a form to try it."""
    found: Any = describe(request.app.routes)["paths"]
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in found.items():
        for method, operation in methods.items():
            body = operation.get("requestBody")
            shown = {
                **operation,
                "path": path,
                "method": method.upper(),
                "body": json.dumps(_example(body), indent=2) if body else None,
            }
            groups.setdefault(operation["tags"][0], []).append(shown)
    return page("api.html", groups=groups)


def _example(body: dict[str, Any]) -> dict[str, Any]:
    """A body with every member, empty."""
    empty: dict[str, Any] = {"object": {}, "array": [], "string": ""}
    schema = body["content"]["application/json"]["schema"]
    return {
        name: empty.get(part["type"] if isinstance(part["type"], str) else "")
        for name, part in schema.get("properties", {}).items()
    }

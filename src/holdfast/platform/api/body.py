"""Members of a JSON body, read with errors that name them."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.model.json import JsonObject
from holdfast.model.request_body import parse_request
from holdfast.platform.access.problems import AccessError
from holdfast.platform.start.actions import ActionError
from holdfast.platform.store.accounts import AccountError

Endpoint = Callable[[Request], Awaitable[Response]]


def answered(endpoint: Endpoint) -> Endpoint:
    """The endpoint with its errors as answers: `{"error": text}` with the error's status.

    `errors` of an error, what is wrong with each member, go with it.
    """

    @functools.wraps(endpoint)
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except (AccessError, AccountError, ActionError) as error:
            body: JsonObject = {"error": error.message}
            if told := getattr(error, "errors", None):
                body |= {"message": error.message, "errors": told}
            return JSONResponse(body, error.status)

    return answer


async def object_of(request: Request, *, document: bool = False) -> dict[str, Any]:
    """The body as an object; an empty body is an empty one. Raises AccessError."""
    raw = await request.body()
    try:
        value = parse_request(raw, document=document) if raw else {}
    except ValueError as error:
        message = f"The body is not JSON: {error}"
        raise AccessError(message, 400) from error
    if not isinstance(value, dict):
        message = "The body must be a JSON object."
        raise AccessError(message, 400)
    return value


def text(asked: dict[str, Any], name: str, default: str | None = None) -> str:
    """Raises AccessError."""
    value = asked.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or not value.strip() or len(value) > 10_000:
        message = f"{name} must be text"
        raise AccessError(message)
    return value


def texts(asked: dict[str, Any], *names: str) -> dict[str, str]:
    """Those of these members that are there. Raises AccessError."""
    return {name: text(asked, name) for name in names if name in asked}


def flag(asked: dict[str, Any], name: str) -> bool:
    """Raises AccessError."""
    value = asked.get(name, False)
    if not isinstance(value, bool):
        message = f"{name} must be true or false"
        raise AccessError(message)
    return value


def words(asked: dict[str, Any], name: str, default: list[str]) -> list[str]:
    """A list of texts. Raises AccessError."""
    value = asked.get(name, default)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        message = f"{name} must be a list of texts"
        raise AccessError(message)
    return value

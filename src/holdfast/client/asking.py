"""How the client asks: one connection, a token, and errors as exceptions."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from holdfast.model.errors import HoldfastError


class ApiError(HoldfastError):
    """The platform has refused a request.

    `status`: of HTTP. `problem`: the answer's problem details (RFC 9457), or an empty dictionary.
    """

    def __init__(self, status: int, problem: Mapping[str, Any], text: str) -> None:
        detail = problem.get("detail") or problem.get("error") or text[:200]
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.problem = problem


class Asking:
    """Sends requests with a token. `timeout` in seconds."""

    def __init__(self, url: str, token: str, *, timeout: float = 30.0) -> None:
        headers = {"authorization": f"Bearer {token}"}
        secure = httpx.URL(url).scheme == "https"  # reading certificates takes 30 ms
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout, verify=secure)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def ask(
        self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None
    ) -> Any:
        """The answer: its JSON, its text when it is none, or None when it is empty.

        Members of the query that are None are left out. Raises ApiError; httpx.HTTPError when the
        platform cannot be reached.
        """
        given = {name: value for name, value in (query or {}).items() if value is not None}
        answer = self._http.request(method, path, params=given, json=body)
        body, is_json = _json(answer)
        if answer.is_success:
            return body if is_json else answer.text or None
        problem = body if isinstance(body, dict) else {}
        raise ApiError(answer.status_code, problem, answer.text)


def _json(answer: httpx.Response) -> tuple[Any, bool]:
    """The body's value, and whether the body is JSON. Raises ApiError where a success's is not."""
    if "json" not in answer.headers.get("content-type", "") or not answer.content:
        return None, False
    try:
        return answer.json(), True
    except ValueError as error:
        if answer.is_success:
            said = f"The answer is not JSON: {answer.text[:200]}"
            raise ApiError(answer.status_code, {}, said) from error
        return None, False


def part(text: str) -> str:
    """A value as one part of a path. Raises ValueError where that would name something else."""
    if text in {"", ".", ".."}:
        message = f"{text!r} cannot be a part of an address"
        raise ValueError(message)
    return quote(text, safe="")

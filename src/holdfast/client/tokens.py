"""Calls of the API: tokens.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.client.asking import Asking, part
from holdfast.model import answers as a


class Tokens:
    """Calls of the API: tokens."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def list(self) -> a.Many[a.Token]:
        """GET /api/tokens"""
        answer: a.Many[a.Token] = self._asking.ask("GET", "/api/tokens")
        return answer

    def create(self, body: Mapping[str, Any]) -> a.NewToken:
        """`POST /api/tokens` with `{"name", "scopes"?, "expires_at"?, "project"?}`. Shown once."""
        answer: a.NewToken = self._asking.ask("POST", "/api/tokens", body=body)
        return answer

    def delete(self, id_: str) -> None:
        """DELETE /api/tokens/{id}"""
        self._asking.ask("DELETE", f"/api/tokens/{part(id_)}")

"""Calls of the API: users.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.client.asking import Asking, part
from holdfast.model import answers as a


class Users:
    """Calls of the API: users."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def list(self) -> a.Many[a.User]:
        """GET /api/users"""
        answer: a.Many[a.User] = self._asking.ask("GET", "/api/users")
        return answer

    def create(self, body: Mapping[str, Any]) -> a.NewUser:
        """`POST /api/users` with `{"email", "name"?, "administrator"?, "password"?}`.

        Without a password the answer has a path that logs the person in, once.
        """
        answer: a.NewUser = self._asking.ask("POST", "/api/users", body=body)
        return answer

    def change(self, id_: str, body: Mapping[str, Any] | None = None) -> a.One[a.User]:
        """`PATCH /api/users/:id`: `name`, `email`, `administrator`, `disabled`, `password`."""
        answer: a.One[a.User] = self._asking.ask(
            "PATCH", f"/api/users/{part(id_)}", body=body or {}
        )
        return answer

    def create_link(self, id_: str) -> a.Link:
        """`POST /api/users/:id/links`: a path that logs this person in, once."""
        answer: a.Link = self._asking.ask("POST", f"/api/users/{part(id_)}/links")
        return answer

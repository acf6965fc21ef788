"""Calls of the API: credentials.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.client.asking import Asking, part
from holdfast.model import answers as a


class Credentials:
    """Calls of the API: credentials."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def list(
        self,
        *,
        page: int | None = None,
        page_size: int | None = None,
        project_id: str | None = None,
        name: str | None = None,
        schema: str | None = None,
        inserted_after: str | None = None,
        inserted_before: str | None = None,
        updated_after: str | None = None,
        updated_before: str | None = None,
    ) -> a.Page[a.Item[a.Credential]]:
        """Names, schemas and environments of credentials. Their secrets are never returned."""
        answer: a.Page[a.Item[a.Credential]] = self._asking.ask(
            "GET",
            "/api/credentials",
            {
                "page": page,
                "page_size": page_size,
                "project_id": project_id,
                "name": name,
                "schema": schema,
                "inserted_after": inserted_after,
                "inserted_before": inserted_before,
                "updated_after": updated_after,
                "updated_before": updated_before,
            },
        )
        return answer

    def create(self, body: Mapping[str, Any]) -> a.One[a.Item[a.Credential]]:
        """Make a credential in the project that the body names with `project_id`.

        As for `POST /api/projects/:project_id/credentials`.
        """
        answer: a.One[a.Item[a.Credential]] = self._asking.ask(
            "POST", "/api/credentials", body=body
        )
        return answer

    def get(self, id_: str) -> a.One[a.Item[a.Credential]]:
        """A credential without its secrets."""
        answer: a.One[a.Item[a.Credential]] = self._asking.ask(
            "GET", f"/api/credentials/{part(id_)}"
        )
        return answer

    def set(self, id_: str, body: Mapping[str, Any] | None = None) -> a.One[a.Item[a.Credential]]:
        """Change a credential: its name and other members, or the `body` of an `environment`.

        What is not sent stays as it is.
        """
        answer: a.One[a.Item[a.Credential]] = self._asking.ask(
            "PUT", f"/api/credentials/{part(id_)}", body=body or {}
        )
        return answer

    def change(
        self, id_: str, body: Mapping[str, Any] | None = None
    ) -> a.One[a.Item[a.Credential]]:
        """Change a credential: its name and other members, or the `body` of an `environment`.

        What is not sent stays as it is.
        """
        answer: a.One[a.Item[a.Credential]] = self._asking.ask(
            "PATCH", f"/api/credentials/{part(id_)}", body=body or {}
        )
        return answer

    def delete(self, id_: str, *, environment: str | None = None) -> None:
        """Delete a credential that nothing uses; with `environment` only its values for that
        one.
        """
        self._asking.ask("DELETE", f"/api/credentials/{part(id_)}", {"environment": environment})

    def test(self, id_: str) -> a.One[a.CredentialTest]:
        """Test the connection of a credential: a worker makes a small request with it.

        What the other system answers is not kept. 409: no worker is connected.
        """
        answer: a.One[a.CredentialTest] = self._asking.ask(
            "POST", f"/api/credentials/{part(id_)}/tests"
        )
        return answer

    def get_test(self, id_: str, run_id: str) -> a.One[a.CredentialTest]:
        """What a test of a credential has found. `finding` is `pending` until it has ended."""
        answer: a.One[a.CredentialTest] = self._asking.ask(
            "GET", f"/api/credentials/{part(id_)}/tests/{part(run_id)}"
        )
        return answer

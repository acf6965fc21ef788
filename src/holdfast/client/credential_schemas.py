"""Calls of the API: credential schemas.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from holdfast.client.asking import Asking, part
from holdfast.model import answers as a


class CredentialSchemas:
    """Calls of the API: credential schemas."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def list(self) -> a.Many[str]:
        """Names of the schemas of credentials that are known here.

        Those of adaptors that are not installed yet can be asked for by name, too.
        """
        answer: a.Many[str] = self._asking.ask("GET", "/api/credential_schemas")
        return answer

    def get(self, name: str) -> a.One[a.CredentialSchema]:
        """A schema of credentials, and the fields of a form for it."""
        answer: a.One[a.CredentialSchema] = self._asking.ask(
            "GET", f"/api/credential_schemas/{part(name)}"
        )
        return answer

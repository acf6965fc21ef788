"""Calls of the API: oauth clients.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.client.asking import Asking, part
from holdfast.model import answers as a


class OauthClients:
    """Calls of the API: oauth clients."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def list(self) -> a.Many[a.OAuthClient]:
        """The clients of OAuth 2 that credentials may use, without their secrets."""
        answer: a.Many[a.OAuthClient] = self._asking.ask("GET", "/api/oauth_clients")
        return answer

    def create(self, body: Mapping[str, Any]) -> a.One[a.OAuthClient]:
        """Make a client of OAuth 2, or change the one of this name.

        `{"name", "client_id", "client_secret"?, "token_endpoint", "authorization_endpoint"?,
        "scopes"?}`. The endpoints are https addresses, or of this machine. A secret that is
        left out stays as it is.
        """
        answer: a.One[a.OAuthClient] = self._asking.ask("POST", "/api/oauth_clients", body=body)
        return answer

    def delete(self, id_: str) -> None:
        """Remove a client that no credential uses."""
        self._asking.ask("DELETE", f"/api/oauth_clients/{part(id_)}")

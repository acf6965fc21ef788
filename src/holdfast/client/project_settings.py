"""Calls of the API: project settings.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.client.asking import Asking, part
from holdfast.model import answers as a


class ProjectSettings:
    """Calls of the API: project settings."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def audit(
        self,
        project_id: str,
        *,
        before: str | None = None,
        actor: str | None = None,
        limit: str | None = None,
    ) -> a.Many[a.Event]:
        """`GET /api/projects/:project_id/audit`: the same of one project."""
        answer: a.Many[a.Event] = self._asking.ask(
            "GET",
            f"/api/projects/{part(project_id)}/audit",
            {"before": before, "actor": actor, "limit": limit},
        )
        return answer

    def members(self, project_id: str) -> a.Many[a.Member]:
        """GET /api/projects/{project_id}/members"""
        answer: a.Many[a.Member] = self._asking.ask(
            "GET", f"/api/projects/{part(project_id)}/members"
        )
        return answer

    def set_member(
        self, project_id: str, user: str, body: Mapping[str, Any]
    ) -> a.One[a.Membership]:
        """`PUT /api/projects/:project_id/members/:user` with `{"role"}`; `user`: id or address."""
        answer: a.One[a.Membership] = self._asking.ask(
            "PUT", f"/api/projects/{part(project_id)}/members/{part(user)}", body=body
        )
        return answer

    def delete_member(self, project_id: str, user: str) -> None:
        """DELETE /api/projects/{project_id}/members/{user}"""
        self._asking.ask("DELETE", f"/api/projects/{part(project_id)}/members/{part(user)}")

    def tokens(self, project_id: str) -> a.Many[a.Token]:
        """GET /api/projects/{project_id}/tokens"""
        answer: a.Many[a.Token] = self._asking.ask(
            "GET", f"/api/projects/{part(project_id)}/tokens"
        )
        return answer

    def create_token(self, project_id: str, body: Mapping[str, Any]) -> a.NewToken:
        """`POST /api/projects/:project_id/tokens` with `{"name", "role"?, "scopes"?,
        "expires_at"?}`.

        The token belongs to the project, so it outlives the account of who made it.
        """
        answer: a.NewToken = self._asking.ask(
            "POST", f"/api/projects/{part(project_id)}/tokens", body=body
        )
        return answer

    def delete_token(self, project_id: str, id_: str) -> None:
        """DELETE /api/projects/{project_id}/tokens/{id}"""
        self._asking.ask("DELETE", f"/api/projects/{part(project_id)}/tokens/{part(id_)}")

    def webhook_keys(self, project_id: str) -> a.Many[a.WebhookKey]:
        """GET /api/projects/{project_id}/webhook_keys"""
        answer: a.Many[a.WebhookKey] = self._asking.ask(
            "GET", f"/api/projects/{part(project_id)}/webhook_keys"
        )
        return answer

    def set_webhook_key(self, project_id: str, name: str, body: Mapping[str, Any]) -> a.NewKey:
        """`PUT /api/projects/:project_id/webhook_keys/:name`: make a key, or give it a new
        secret.

        `{"type": "api_key" | "hmac", "secret"?}` or `{"type": "basic", "username",
        "password"}`. A secret that is left out is made, and shown once. The old one stays
        good for `keep_old_seconds` (a day). `window_seconds` of an hmac: its signatures
        carry their time.
        """
        answer: a.NewKey = self._asking.ask(
            "PUT", f"/api/projects/{part(project_id)}/webhook_keys/{part(name)}", body=body
        )
        return answer

    def delete_webhook_key(self, project_id: str, name: str) -> None:
        """DELETE /api/projects/{project_id}/webhook_keys/{name}"""
        self._asking.ask("DELETE", f"/api/projects/{part(project_id)}/webhook_keys/{part(name)}")

    def retention(self, project_id: str) -> a.One[a.Retention]:
        """Days that documents, logs and runs are kept (null: for ever), and how much is due
        now.
        """
        answer: a.One[a.Retention] = self._asking.ask(
            "GET", f"/api/projects/{part(project_id)}/retention"
        )
        return answer

    def set_retention(
        self, project_id: str, body: Mapping[str, Any] | None = None
    ) -> a.One[a.Retention]:
        """Set `documents`, `logs` or `runs`, in days; null keeps them for ever."""
        answer: a.One[a.Retention] = self._asking.ask(
            "PUT", f"/api/projects/{part(project_id)}/retention", body=body or {}
        )
        return answer

    def apply_retention(self, project_id: str, body: Mapping[str, Any] | None = None) -> a.Removed:
        """Remove what is due now, in small steps. `{"dry_run": true}` only counts it."""
        answer: a.Removed = self._asking.ask(
            "POST", f"/api/projects/{part(project_id)}/retention/apply", body=body or {}
        )
        return answer

    def alerts(self, project_id: str) -> a.Many[a.Alert]:
        """Whom a project tells, of what, and what became of it. No address is shown whole."""
        answer: a.Many[a.Alert] = self._asking.ask(
            "GET", f"/api/projects/{part(project_id)}/alerts"
        )
        return answer

    def create_alert(
        self, project_id: str, body: Mapping[str, Any] | None = None
    ) -> a.One[a.AlertId]:
        """Tell somebody: `{"webhook": url}` or `{"mail": address}`, with `events` and the like.

        `events`: first_failure, recovery, lost (those are told without it), failure,
        queue_age. `queue_seconds`: how long a run may wait (300). `digest_minutes`: tell all
        of so many minutes in one; 0 tells each at once.
        """
        answer: a.One[a.AlertId] = self._asking.ask(
            "POST", f"/api/projects/{part(project_id)}/alerts", body=body or {}
        )
        return answer

    def delete_alert(self, project_id: str, id_: str) -> None:
        """Tell somebody no more, not even what was to be told."""
        self._asking.ask("DELETE", f"/api/projects/{part(project_id)}/alerts/{part(id_)}")

    def test_alert(self, project_id: str, id_: str) -> a.One[a.AlertId]:
        """Tell somebody that this is a test; the list says within seconds whether it arrived."""
        answer: a.One[a.AlertId] = self._asking.ask(
            "POST", f"/api/projects/{part(project_id)}/alerts/{part(id_)}/test"
        )
        return answer

    def credentials(
        self,
        project_id: str,
        *,
        page: int | None = None,
        page_size: int | None = None,
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
            f"/api/projects/{part(project_id)}/credentials",
            {
                "page": page,
                "page_size": page_size,
                "name": name,
                "schema": schema,
                "inserted_after": inserted_after,
                "inserted_before": inserted_before,
                "updated_after": updated_after,
                "updated_before": updated_before,
            },
        )
        return answer

    def create_credential(
        self, project_id: str, body: Mapping[str, Any]
    ) -> a.One[a.Item[a.Credential]]:
        """Make a credential, or set its values for an environment.

        `{"name", "owner"?, "schema"?, "body": {…}, "environment"?, "external_id"?,
        "oauth_client_id"?}`. The values must fit the schema, by default `raw`, which takes
        everything. Without `environment` they are for the one of the project. With an OAuth
        client the token in the values is renewed.
        """
        answer: a.One[a.Item[a.Credential]] = self._asking.ask(
            "POST", f"/api/projects/{part(project_id)}/credentials", body=body
        )
        return answer

    def keychains(self, project_id: str) -> a.Many[a.Keychain]:
        """The keychains of a project."""
        answer: a.Many[a.Keychain] = self._asking.ask(
            "GET", f"/api/projects/{part(project_id)}/keychains"
        )
        return answer

    def create_keychain(self, project_id: str, body: Mapping[str, Any]) -> a.One[a.Keychain]:
        """Make a keychain, or change the one of this name.

        `{"name", "path", "default_credential_id"?}`. The path is a JSONPath (RFC 9535) into
        the body of the run's input. A job with this keychain as its `keychain_credential_id`
        gets the credential whose `external_id` is the value found there; where none is, the
        default.
        """
        answer: a.One[a.Keychain] = self._asking.ask(
            "POST", f"/api/projects/{part(project_id)}/keychains", body=body
        )
        return answer

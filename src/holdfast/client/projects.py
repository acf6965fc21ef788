"""Calls of the API: projects.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.client.asking import Asking, part
from holdfast.model import answers as a


class Projects:
    """Calls of the API: projects."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def schedule(self, project_id: str, *, count: str | None = None) -> a.Many[a.Schedule]:
        """The enabled cron triggers of a project, with their next times. `count`: so many of
        each.
        """
        answer: a.Many[a.Schedule] = self._asking.ask(
            "GET", f"/api/projects/{part(project_id)}/schedule", {"count": count}
        )
        return answer

    def search(
        self,
        project_id: str,
        *,
        page: int | None = None,
        page_size: int | None = None,
        q: str | None = None,
        in_: str | None = None,
        state: str | None = None,
        workflow_id: str | None = None,
        work_order_id: str | None = None,
        error_type: str | None = None,
        worker: str | None = None,
        id_begins: str | None = None,
        min_duration_ms: str | None = None,
        max_duration_ms: str | None = None,
        min_memory_mb: str | None = None,
        max_memory_mb: str | None = None,
        after: str | None = None,
        before: str | None = None,
        last: str | None = None,
        inserted_after: str | None = None,
        inserted_before: str | None = None,
        updated_after: str | None = None,
        updated_before: str | None = None,
    ) -> a.SearchPage:
        """Runs that have ended whose log, input or output has all words of `q`; or an id of it.

        A word that ends with `*` is a beginning. `in`: `log`, `input`, `output`, several
        with commas. The filters of runs may be given, too. While `links.next` is there,
        follow it.
        """
        answer: a.SearchPage = self._asking.ask(
            "GET",
            f"/api/projects/{part(project_id)}/search",
            {
                "page": page,
                "page_size": page_size,
                "q": q,
                "in": in_,
                "state": state,
                "workflow_id": workflow_id,
                "work_order_id": work_order_id,
                "error_type": error_type,
                "worker": worker,
                "id_begins": id_begins,
                "min_duration_ms": min_duration_ms,
                "max_duration_ms": max_duration_ms,
                "min_memory_mb": min_memory_mb,
                "max_memory_mb": max_memory_mb,
                "after": after,
                "before": before,
                "last": last,
                "inserted_after": inserted_after,
                "inserted_before": inserted_before,
                "updated_after": updated_after,
                "updated_before": updated_before,
            },
        )
        return answer

    def list(
        self,
        *,
        page: int | None = None,
        page_size: int | None = None,
        name: str | None = None,
        inserted_after: str | None = None,
        inserted_before: str | None = None,
        updated_after: str | None = None,
        updated_before: str | None = None,
    ) -> a.Page[a.Item[a.Project]]:
        """Projects that the asker belongs to."""
        answer: a.Page[a.Item[a.Project]] = self._asking.ask(
            "GET",
            "/api/projects",
            {
                "page": page,
                "page_size": page_size,
                "name": name,
                "inserted_after": inserted_after,
                "inserted_before": inserted_before,
                "updated_after": updated_after,
                "updated_before": updated_before,
            },
        )
        return answer

    def get(self, project_id: str) -> a.One[a.Item[a.Project]]:
        """A project by id or name."""
        answer: a.One[a.Item[a.Project]] = self._asking.ask(
            "GET", f"/api/projects/{part(project_id)}"
        )
        return answer

    def workflows(
        self,
        project_id: str,
        *,
        page: int | None = None,
        page_size: int | None = None,
        name: str | None = None,
        inserted_after: str | None = None,
        inserted_before: str | None = None,
        updated_after: str | None = None,
        updated_before: str | None = None,
    ) -> a.WorkflowPage:
        """Workflows with jobs, triggers and edges."""
        answer: a.WorkflowPage = self._asking.ask(
            "GET",
            f"/api/projects/{part(project_id)}/workflows",
            {
                "page": page,
                "page_size": page_size,
                "name": name,
                "inserted_after": inserted_after,
                "inserted_before": inserted_before,
                "updated_after": updated_after,
                "updated_before": updated_before,
            },
        )
        return answer

    def create_workflow(
        self, project_id: str, body: Mapping[str, Any] | None = None
    ) -> a.WorkflowAnswer:
        """Make a workflow in the project of the path, or of `project_id` in the body."""
        answer: a.WorkflowAnswer = self._asking.ask(
            "POST", f"/api/projects/{part(project_id)}/workflows", body=body or {}
        )
        return answer

    def jobs(
        self,
        project_id: str,
        *,
        page: int | None = None,
        page_size: int | None = None,
        workflow_id: str | None = None,
        name: str | None = None,
    ) -> a.Page[a.Item[a.Job]]:
        """Jobs with their code, of a project or a workflow."""
        answer: a.Page[a.Item[a.Job]] = self._asking.ask(
            "GET",
            f"/api/projects/{part(project_id)}/jobs",
            {"page": page, "page_size": page_size, "workflow_id": workflow_id, "name": name},
        )
        return answer

    def collections(
        self,
        project_id: str,
        *,
        page: int | None = None,
        page_size: int | None = None,
        name: str | None = None,
        inserted_after: str | None = None,
        inserted_before: str | None = None,
        updated_after: str | None = None,
        updated_before: str | None = None,
    ) -> a.Page[a.Item[a.Collection]]:
        """Collections with the number of their items and their size in bytes."""
        answer: a.Page[a.Item[a.Collection]] = self._asking.ask(
            "GET",
            f"/api/projects/{part(project_id)}/collections",
            {
                "page": page,
                "page_size": page_size,
                "name": name,
                "inserted_after": inserted_after,
                "inserted_before": inserted_before,
                "updated_after": updated_after,
                "updated_before": updated_before,
            },
        )
        return answer

    def runs(
        self,
        project_id: str,
        *,
        page: int | None = None,
        page_size: int | None = None,
        state: str | None = None,
        workflow_id: str | None = None,
        work_order_id: str | None = None,
        error_type: str | None = None,
        worker: str | None = None,
        id_begins: str | None = None,
        min_duration_ms: str | None = None,
        max_duration_ms: str | None = None,
        min_memory_mb: str | None = None,
        max_memory_mb: str | None = None,
        after: str | None = None,
        before: str | None = None,
        last: str | None = None,
        inserted_after: str | None = None,
        inserted_before: str | None = None,
        updated_after: str | None = None,
        updated_before: str | None = None,
    ) -> a.Page[a.Item[a.Run]]:
        """Runs, newest first. Follow `links.next` to the end: a page may have fewer entries.

        `state` is one or several with commas, or `unsuccessful`. `meta.exact` is false where
        there are perhaps more entries than were counted.
        """
        answer: a.Page[a.Item[a.Run]] = self._asking.ask(
            "GET",
            f"/api/projects/{part(project_id)}/runs",
            {
                "page": page,
                "page_size": page_size,
                "state": state,
                "workflow_id": workflow_id,
                "work_order_id": work_order_id,
                "error_type": error_type,
                "worker": worker,
                "id_begins": id_begins,
                "min_duration_ms": min_duration_ms,
                "max_duration_ms": max_duration_ms,
                "min_memory_mb": min_memory_mb,
                "max_memory_mb": max_memory_mb,
                "after": after,
                "before": before,
                "last": last,
                "inserted_after": inserted_after,
                "inserted_before": inserted_before,
                "updated_after": updated_after,
                "updated_before": updated_before,
            },
        )
        return answer

    def work_orders(
        self,
        project_id: str,
        *,
        page: int | None = None,
        page_size: int | None = None,
        state: str | None = None,
        workflow_id: str | None = None,
        work_order_id: str | None = None,
        error_type: str | None = None,
        worker: str | None = None,
        id_begins: str | None = None,
        min_duration_ms: str | None = None,
        max_duration_ms: str | None = None,
        min_memory_mb: str | None = None,
        max_memory_mb: str | None = None,
        after: str | None = None,
        before: str | None = None,
        last: str | None = None,
        inserted_after: str | None = None,
        inserted_before: str | None = None,
        updated_after: str | None = None,
        updated_before: str | None = None,
    ) -> a.Page[a.Item[a.WorkOrder]]:
        """Work orders, newest first: filters and pages as those of runs.

        `error_type`, `worker`, duration and memory are of one of its runs.
        """
        answer: a.Page[a.Item[a.WorkOrder]] = self._asking.ask(
            "GET",
            f"/api/projects/{part(project_id)}/work_orders",
            {
                "page": page,
                "page_size": page_size,
                "state": state,
                "workflow_id": workflow_id,
                "work_order_id": work_order_id,
                "error_type": error_type,
                "worker": worker,
                "id_begins": id_begins,
                "min_duration_ms": min_duration_ms,
                "max_duration_ms": max_duration_ms,
                "min_memory_mb": min_memory_mb,
                "max_memory_mb": max_memory_mb,
                "after": after,
                "before": before,
                "last": last,
                "inserted_after": inserted_after,
                "inserted_before": inserted_before,
                "updated_after": updated_after,
                "updated_before": updated_before,
            },
        )
        return answer

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

    def bulk_actions(self, project_id: str) -> a.Many[a.BulkAction]:
        """Retries and cancellations of many runs, the newest first, with their progress."""
        answer: a.Many[a.BulkAction] = self._asking.ask(
            "GET", f"/api/projects/{part(project_id)}/bulk_actions"
        )
        return answer

    def create_bulk_action(self, project_id: str, body: Mapping[str, Any]) -> a.BulkBegun:
        """Retry or cancel the runs that filters choose: `{"action": "retry", "filters": {…}}`.

        The filters are those of a list of runs. Unless `state` is among them, `retry` is for
        unsuccessful runs and `cancel` for those that have not ended. Of a work order only
        the newest run is retried. `{"dry_run": true}` only counts.
        """
        answer: a.BulkBegun = self._asking.ask(
            "POST", f"/api/projects/{part(project_id)}/bulk_actions", body=body
        )
        return answer

    def bulk_action(self, project_id: str, id_: str) -> a.One[a.BulkAction]:
        """How far one of them is: `done`, `skipped` with the last reason, of `total`."""
        answer: a.One[a.BulkAction] = self._asking.ask(
            "GET", f"/api/projects/{part(project_id)}/bulk_actions/{part(id_)}"
        )
        return answer

    def stop_bulk_action(self, project_id: str, id_: str) -> a.One[a.BulkAction]:
        """Do no more of it. What is done stays done."""
        answer: a.One[a.BulkAction] = self._asking.ask(
            "POST", f"/api/projects/{part(project_id)}/bulk_actions/{part(id_)}/stop"
        )
        return answer

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

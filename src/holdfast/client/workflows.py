"""Calls of the API: workflows.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.client.asking import Asking, part
from holdfast.model import answers as a


class Workflows:
    """Calls of the API: workflows."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def pause(self, id_: str) -> a.One[a.Paused]:
        """Give no run of this workflow to a worker, and let its cron trigger rest.

        What a worker has goes on. New runs are accepted, and wait.
        """
        answer: a.One[a.Paused] = self._asking.ask("POST", f"/api/workflows/{part(id_)}/pause")
        return answer

    def resume(self, id_: str) -> a.One[a.Paused]:
        """End the pause of a workflow. `cron_catch_up` says what happens to times that came in
        it.
        """
        answer: a.One[a.Paused] = self._asking.ask("POST", f"/api/workflows/{part(id_)}/resume")
        return answer

    def list(
        self,
        *,
        page: int | None = None,
        page_size: int | None = None,
        project_id: str | None = None,
        name: str | None = None,
        inserted_after: str | None = None,
        inserted_before: str | None = None,
        updated_after: str | None = None,
        updated_before: str | None = None,
    ) -> a.WorkflowPage:
        """Workflows with jobs, triggers and edges."""
        answer: a.WorkflowPage = self._asking.ask(
            "GET",
            "/api/workflows",
            {
                "page": page,
                "page_size": page_size,
                "project_id": project_id,
                "name": name,
                "inserted_after": inserted_after,
                "inserted_before": inserted_before,
                "updated_after": updated_after,
                "updated_before": updated_before,
            },
        )
        return answer

    def create(self, body: Mapping[str, Any] | None = None) -> a.WorkflowAnswer:
        """Make a workflow in the project of the path, or of `project_id` in the body."""
        answer: a.WorkflowAnswer = self._asking.ask("POST", "/api/workflows", body=body or {})
        return answer

    def get(self, id_: str) -> a.WorkflowAnswer:
        """A workflow with jobs, triggers and edges."""
        answer: a.WorkflowAnswer = self._asking.ask("GET", f"/api/workflows/{part(id_)}")
        return answer

    def change(self, id_: str, body: Mapping[str, Any] | None = None) -> a.WorkflowAnswer:
        """Change a workflow: what is not sent stays as it is; a list that is sent is whole."""
        answer: a.WorkflowAnswer = self._asking.ask(
            "PATCH", f"/api/workflows/{part(id_)}", body=body or {}
        )
        return answer

    def set(self, id_: str, body: Mapping[str, Any] | None = None) -> a.WorkflowAnswer:
        """Change a workflow: what is not sent stays as it is; a list that is sent is whole."""
        answer: a.WorkflowAnswer = self._asking.ask(
            "PUT", f"/api/workflows/{part(id_)}", body=body or {}
        )
        return answer

    def run(self, id_: str, body: Mapping[str, Any] | None = None) -> a.Created:
        """`POST /api/workflows/:id/runs` with `{"input"?, "dataclip_id"?, "job_id"?}`."""
        answer: a.Created = self._asking.ask(
            "POST", f"/api/workflows/{part(id_)}/runs", body=body or {}
        )
        return answer

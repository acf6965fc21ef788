"""Calls of the API: projects.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.client.asking import part
from holdfast.client.project_history import ProjectHistory
from holdfast.client.project_settings import ProjectSettings
from holdfast.model import answers as a


class Projects(ProjectHistory, ProjectSettings):
    """Calls of the API: projects."""

    def schedule(self, project_id: str, *, count: str | None = None) -> a.Many[a.Schedule]:
        """The enabled cron triggers of a project, with their next times. `count`: so many of
        each.
        """
        answer: a.Many[a.Schedule] = self._asking.ask(
            "GET", f"/api/projects/{part(project_id)}/schedule", {"count": count}
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

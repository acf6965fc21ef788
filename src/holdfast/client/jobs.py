"""Calls of the API: jobs.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from holdfast.client.asking import Asking, part
from holdfast.model import answers as a


class Jobs:
    """Calls of the API: jobs."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def list(
        self,
        *,
        page: int | None = None,
        page_size: int | None = None,
        project_id: str | None = None,
        workflow_id: str | None = None,
        name: str | None = None,
    ) -> a.Page[a.Item[a.Job]]:
        """Jobs with their code, of a project or a workflow."""
        answer: a.Page[a.Item[a.Job]] = self._asking.ask(
            "GET",
            "/api/jobs",
            {
                "page": page,
                "page_size": page_size,
                "project_id": project_id,
                "workflow_id": workflow_id,
                "name": name,
            },
        )
        return answer

    def get(self, id_: str) -> a.One[a.Item[a.Job]]:
        """A job with its code."""
        answer: a.One[a.Item[a.Job]] = self._asking.ask("GET", f"/api/jobs/{part(id_)}")
        return answer

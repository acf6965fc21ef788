"""Calls of the API: log lines.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from holdfast.client.asking import Asking
from holdfast.model import answers as a


class LogLines:
    """Calls of the API: log lines."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def list(
        self,
        *,
        page: int | None = None,
        page_size: int | None = None,
        run_id: str | None = None,
        level: str | None = None,
        step_id: str | None = None,
        project_id: str | None = None,
        workflow_id: str | None = None,
        work_order_id: str | None = None,
        job_id: str | None = None,
        timestamp_after: str | None = None,
        timestamp_before: str | None = None,
    ) -> a.Page[a.Item[a.LogLine]]:
        """GET /api/log_lines"""
        answer: a.Page[a.Item[a.LogLine]] = self._asking.ask(
            "GET",
            "/api/log_lines",
            {
                "page": page,
                "page_size": page_size,
                "run_id": run_id,
                "level": level,
                "step_id": step_id,
                "project_id": project_id,
                "workflow_id": workflow_id,
                "work_order_id": work_order_id,
                "job_id": job_id,
                "timestamp_after": timestamp_after,
                "timestamp_before": timestamp_before,
            },
        )
        return answer

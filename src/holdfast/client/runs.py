"""Calls of the API: runs.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.client.asking import Asking, part
from holdfast.model import answers as a


class Runs:
    """Calls of the API: runs."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def list(
        self,
        *,
        page: int | None = None,
        page_size: int | None = None,
        state: str | None = None,
        project_id: str | None = None,
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
            "/api/runs",
            {
                "page": page,
                "page_size": page_size,
                "state": state,
                "project_id": project_id,
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

    def get(self, id_: str) -> a.One[a.Item[a.Run]]:
        """GET /api/runs/{id}"""
        answer: a.One[a.Item[a.Run]] = self._asking.ask("GET", f"/api/runs/{part(id_)}")
        return answer

    def steps(self, id_: str) -> a.Many[a.Step]:
        """GET /api/runs/{id}/steps"""
        answer: a.Many[a.Step] = self._asking.ask("GET", f"/api/runs/{part(id_)}/steps")
        return answer

    def repeats(self, id_: str, *, step_id: str | None = None) -> a.One[a.Repeats]:
        """What a retry would do again: its jobs, and the requests that they were seen to make.

        `step_id`: of a retry from this step. `requests` is null where the worker told of
        none to the platform: of runs that succeeded they stand in the worker's journal only.
        """
        answer: a.One[a.Repeats] = self._asking.ask(
            "GET", f"/api/runs/{part(id_)}/repeats", {"step_id": step_id}
        )
        return answer

    def logs(self, id_: str, *, after: str | None = None, limit: str | None = None) -> a.Log:
        """Lines of a run after a number, flat and whole. Ask again after the last, until none
        come.

        Lines are numbered from 1. `limit`: so many lines at most. `meta.total`: lines that
        there are.
        """
        answer: a.Log = self._asking.ask(
            "GET", f"/api/runs/{part(id_)}/logs", {"after": after, "limit": limit}
        )
        return answer

    def search_logs(
        self, id_: str, *, q: str | None = None, after: str | None = None, limit: str | None = None
    ) -> a.FoundLines:
        """Numbers of the lines of a run's log that have the text `q`, whatever its case.

        `limit`: so many at most. While `meta.searched_to` is a number, ask again `after` it.
        """
        answer: a.FoundLines = self._asking.ask(
            "GET", f"/api/runs/{part(id_)}/logs/search", {"q": q, "after": after, "limit": limit}
        )
        return answer

    def retry(self, id_: str, body: Mapping[str, Any] | None = None) -> a.Created:
        """`POST /api/runs/:id/retry` with `{"step_id"?}`."""
        answer: a.Created = self._asking.ask(
            "POST", f"/api/runs/{part(id_)}/retry", body=body or {}
        )
        return answer

    def cancel(self, id_: str) -> a.Cancelled:
        """`POST /api/runs/:id/cancel`: 200 when it has ended so, 202 when its worker is asked
        to.
        """
        answer: a.Cancelled = self._asking.ask("POST", f"/api/runs/{part(id_)}/cancel")
        return answer

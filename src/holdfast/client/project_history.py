"""Calls of the API: project history.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.client.asking import Asking, part
from holdfast.model import answers as a


class ProjectHistory:
    """Calls of the API: project history."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def search(
        self,
        project_id: str,
        *,
        page_size: int | None = None,
        q: str | None = None,
        in_: str | None = None,
        after: str | None = None,
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
                "page_size": page_size,
                "q": q,
                "in": in_,
                "after": after,
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
        the newest run is retried. It is stopped when whoever asked may no longer do it.
        `{"dry_run": true}` only counts.
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

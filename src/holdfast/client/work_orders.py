"""Calls of the API: work orders.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from holdfast.client.asking import Asking, part
from holdfast.model import answers as a


class WorkOrders:
    """Calls of the API: work orders."""

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
    ) -> a.Page[a.Item[a.WorkOrder]]:
        """Work orders, newest first: filters and pages as those of runs.

        `error_type`, `worker`, duration and memory are of one of its runs.
        """
        answer: a.Page[a.Item[a.WorkOrder]] = self._asking.ask(
            "GET",
            "/api/work_orders",
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

    def get(self, id_: str) -> a.One[a.Item[a.WorkOrder]]:
        """GET /api/work_orders/{id}"""
        answer: a.One[a.Item[a.WorkOrder]] = self._asking.ask(
            "GET", f"/api/work_orders/{part(id_)}"
        )
        return answer

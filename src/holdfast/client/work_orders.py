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
        workflow_id: str | None = None,
        project_id: str | None = None,
        inserted_after: str | None = None,
        inserted_before: str | None = None,
        updated_after: str | None = None,
        updated_before: str | None = None,
    ) -> a.Page[a.Item[a.WorkOrder]]:
        """GET /api/work_orders"""
        answer: a.Page[a.Item[a.WorkOrder]] = self._asking.ask(
            "GET",
            "/api/work_orders",
            {
                "page": page,
                "page_size": page_size,
                "state": state,
                "workflow_id": workflow_id,
                "project_id": project_id,
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

"""Calls of the API: search.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from holdfast.client.asking import Asking
from holdfast.model import answers as a


class Search:
    """Calls of the API: search."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def list(
        self,
        *,
        page_size: int | None = None,
        q: str | None = None,
        in_: str | None = None,
        after: str | None = None,
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
            "/api/search",
            {
                "page_size": page_size,
                "q": q,
                "in": in_,
                "after": after,
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
                "inserted_after": inserted_after,
                "inserted_before": inserted_before,
                "updated_after": updated_after,
                "updated_before": updated_before,
            },
        )
        return answer

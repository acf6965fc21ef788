"""Calls of the API: collections.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.client.asking import Asking, part
from holdfast.model import answers as a


class Collections:
    """Calls of the API: collections."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

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
    ) -> a.Page[a.Item[a.Collection]]:
        """Collections with the number of their items and their size in bytes."""
        answer: a.Page[a.Item[a.Collection]] = self._asking.ask(
            "GET",
            "/api/collections",
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

    def delete_items(
        self, path: str, *, key: str | None = None, project_id: str | None = None
    ) -> a.Deleted:
        """DELETE /collections/{path}"""
        answer: a.Deleted = self._asking.ask(
            "DELETE", f"/collections/{part(path)}", {"key": key, "project_id": project_id}
        )
        return answer

    def items(
        self,
        path: str,
        *,
        key: str | None = None,
        limit: str | None = None,
        cursor: str | None = None,
        created_after: str | None = None,
        created_before: str | None = None,
        updated_after: str | None = None,
        updated_before: str | None = None,
        project_id: str | None = None,
    ) -> a.CollectionPage | a.CollectionItem:
        """GET /collections/{path}"""
        answer: a.CollectionPage | a.CollectionItem = self._asking.ask(
            "GET",
            f"/collections/{part(path)}",
            {
                "key": key,
                "limit": limit,
                "cursor": cursor,
                "created_after": created_after,
                "created_before": created_before,
                "updated_after": updated_after,
                "updated_before": updated_before,
                "project_id": project_id,
            },
        )
        return answer

    def put_items(self, path: str, body: Mapping[str, Any]) -> a.Upserted:
        """POST /collections/{path}"""
        answer: a.Upserted = self._asking.ask("POST", f"/collections/{part(path)}", body=body)
        return answer

    def put_item(self, path: str, body: Mapping[str, Any] | None = None) -> a.Upserted:
        """PUT /collections/{path}"""
        answer: a.Upserted = self._asking.ask("PUT", f"/collections/{part(path)}", body=body or {})
        return answer

"""Calls of the API: provision.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.client.asking import Asking, part
from holdfast.model import answers as a


class Provision:
    """Calls of the API: provision."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def deploy(
        self, body: Mapping[str, Any] | None = None, *, dry_run: str | None = None
    ) -> a.Deployed:
        """Make a project what the document says: 201, or 422 with what is wrong.

        With `?dry_run=true` everything is done and undone again: 200 and the same answer.
        """
        answer: a.Deployed = self._asking.ask(
            "POST", "/api/provision", {"dry_run": dry_run}, body=body or {}
        )
        return answer

    def yaml(self, *, id_: str | None = None) -> str:
        """`GET /api/provision/yaml?id=…`: the project's file in form 1, for `openfn pull`."""
        answer: str = self._asking.ask("GET", "/api/provision/yaml", {"id": id_})
        return answer

    def get(self, id_: str) -> a.One[dict[str, Any]]:
        """A project by id, or by name."""
        answer: a.One[dict[str, Any]] = self._asking.ask("GET", f"/api/provision/{part(id_)}")
        return answer

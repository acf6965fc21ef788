"""Calls of the API: audit.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from holdfast.client.asking import Asking
from holdfast.model import answers as a


class Audit:
    """Calls of the API: audit."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def list(
        self, *, before: str | None = None, actor: str | None = None, limit: str | None = None
    ) -> a.Many[a.Event]:
        """`GET /api/audit?actor=&before=&limit=&format=`: `format` is `json`, `jsonl` or `csv`."""
        answer: a.Many[a.Event] = self._asking.ask(
            "GET", "/api/audit", {"before": before, "actor": actor, "limit": limit}
        )
        return answer

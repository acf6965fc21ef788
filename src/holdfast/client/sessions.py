"""Calls of the API: sessions.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from holdfast.client.asking import Asking, part
from holdfast.model import answers as a


class Sessions:
    """Calls of the API: sessions."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def list(self) -> a.Many[a.Session]:
        """GET /api/sessions"""
        answer: a.Many[a.Session] = self._asking.ask("GET", "/api/sessions")
        return answer

    def delete_all(self) -> None:
        """Log out everywhere."""
        self._asking.ask("DELETE", "/api/sessions")

    def delete(self, id_: str) -> None:
        """DELETE /api/sessions/{id}"""
        self._asking.ask("DELETE", f"/api/sessions/{part(id_)}")

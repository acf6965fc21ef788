"""Calls of the API: me.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from holdfast.client.asking import Asking
from holdfast.model import answers as a


class Me:
    """Calls of the API: me."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def get(self) -> a.One[a.Me]:
        """`GET /api/me`: who the token or session is, and what it may do."""
        answer: a.One[a.Me] = self._asking.ask("GET", "/api/me")
        return answer

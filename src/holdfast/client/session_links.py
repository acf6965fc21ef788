"""Calls of the API: session links.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from holdfast.client.asking import Asking
from holdfast.model import answers as a


class SessionLinks:
    """Calls of the API: session links."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def create(self) -> a.Link:
        """`POST /api/session_links`: a path that logs a browser in, once, within ten minutes."""
        answer: a.Link = self._asking.ask("POST", "/api/session_links")
        return answer

"""Calls of the API: workers.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from holdfast.client.asking import Asking
from holdfast.model import answers as a


class Workers:
    """Calls of the API: workers."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def list(self) -> a.Many[a.Worker]:
        """Connected workers first, then those that were seen before."""
        answer: a.Many[a.Worker] = self._asking.ask("GET", "/api/workers")
        return answer

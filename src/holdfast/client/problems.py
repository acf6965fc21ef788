"""Calls of the API: problems.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from holdfast.client.asking import Asking
from holdfast.model import answers as a


class Problems:
    """Calls of the API: problems."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def list(self, *, project_id: str | None = None, workflow_id: str | None = None) -> a.Problems:
        """Failures of the last 14 days by their cause, the one that was seen last first.

        Runs of one workflow have one cause when code, step, message (without its values) and
        line are the same. The newest 500 failures are looked at; `meta.more`: there are
        others.
        """
        answer: a.Problems = self._asking.ask(
            "GET", "/api/problems", {"project_id": project_id, "workflow_id": workflow_id}
        )
        return answer

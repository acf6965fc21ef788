"""Calls of the API: queue.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from holdfast.client.asking import Asking
from holdfast.model import answers as a


class Queue:
    """Calls of the API: queue."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def get(self) -> a.Queue:
        """What waits and what is under way."""
        answer: a.Queue = self._asking.ask("GET", "/api/queue")
        return answer

    def pause(self) -> a.Queue:
        """Give no run to any worker. What a worker has goes on. New runs are accepted, and
        wait.
        """
        answer: a.Queue = self._asking.ask("POST", "/api/queue/pause")
        return answer

    def resume(self) -> a.Queue:
        """End the pause of the queue."""
        answer: a.Queue = self._asking.ask("POST", "/api/queue/resume")
        return answer

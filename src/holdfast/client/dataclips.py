"""Calls of the API: dataclips.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from typing import Any

from holdfast.client.asking import Asking, part


class Dataclips:
    """Calls of the API: dataclips."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def body(self, id_: str, *, as_: str | None = None) -> Any:
        """The stored document, cleaned of the secrets its run has seen (4.7).

        `?as=state`: what a job gets of it, which for a webhook's body is `{"data",
        "request"}`.
        """
        answer: Any = self._asking.ask("GET", f"/api/dataclips/{part(id_)}/body", {"as": as_})
        return answer

"""Calls of the API: keychains.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from holdfast.client.asking import Asking, part


class Keychains:
    """Calls of the API: keychains."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def delete(self, id_: str) -> None:
        """Remove a keychain that no job uses."""
        self._asking.ask("DELETE", f"/api/keychains/{part(id_)}")

"""Calls of the API: keys.

Written by scripts/client.py from the routes of the API: change those, not this.
"""

from __future__ import annotations

from holdfast.client.asking import Asking
from holdfast.model import answers as a


class Keys:
    """Calls of the API: keys."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def rotate(self) -> a.One[a.Rotated]:
        """`POST /api/keys/rotate` with `{"only_seal"?}`: a new key, and everything sealed with
        it.

        What an old key has sealed can be read all the time. If this is broken off, do it
        again with `only_seal`.
        """
        answer: a.One[a.Rotated] = self._asking.ask("POST", "/api/keys/rotate")
        return answer

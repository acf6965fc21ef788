"""Which line of its author a place in a compiled step is, from what the compiler sent of it.

The rule is that of `authorPosition` in `engine/javascript/compiled.mjs`.
"""

from __future__ import annotations

import bisect
import json
from typing import Any

#: Bytes that are kept of what the compiler says of one step, and of all; more is not looked into.
_STEP, _ALL = 256 * 1024, 1024 * 1024


class AuthorLines:
    """Learns from the bodies of the compiler's MODULE frames."""

    def __init__(self) -> None:
        self._known: dict[int, bytes | None] = {}  # by place in the plan; None: as the author's
        self._left = self._wanted = self._kept = 0
        self._index = -1
        self._meta = bytearray()

    def learn(self, body: bytes) -> None:
        """Take in the next frame. What is none of the compiler's form ends the learning."""
        try:
            if not self._left:
                head, _, body = body.partition(b"\n")
                self._begin(json.loads(head))
        except (ValueError, KeyError, TypeError, IndexError, RecursionError):
            self._left = 1 << 62  # nothing more is understood
            self._wanted = 0
        self._left -= len(body)
        if self._wanted:
            self._meta += body[: self._wanted - len(self._meta)]
            if len(self._meta) == self._wanted:
                self._known[self._index] = bytes(self._meta)
                self._wanted = 0

    def _begin(self, head: dict[str, Any]) -> None:
        self._index, self._left = int(head["index"]), int(head["bytes"])
        self._meta.clear()
        if head.get("parts") is None:
            self._known[self._index] = None
            return
        wanted = int(head["parts"][0])
        fits = 0 < wanted <= _STEP and self._kept + wanted <= _ALL
        self._wanted = wanted if fits else 0
        self._kept += self._wanted

    def of(self, index: int, line: int, column: int) -> int | None:
        """The author's line of a place in the code of a step; None where it is not known."""
        if index not in self._known:
            return None
        meta = self._known[index]
        if meta is None:
            return line
        try:
            edits = [[int(item) for item in edit] for edit in json.loads(meta)["edits"]]
            at = bisect.bisect_right(edits, [line, column], key=lambda edit: edit[:2])
            if at == 0:
                return line
            from_line, _, author_line, *rest = edits[at - 1]
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        fixed = len(rest) > 1 and rest[1]
        return author_line if fixed else author_line + line - from_line

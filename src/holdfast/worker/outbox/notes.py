"""Which notes of a delivery are kept. Pure.

The platform may refuse hundreds of thousands of lines of a run. Notes about steps and their ends
decide what is sent later, and a run has a limited number of steps: all of them are kept. Of each
other kind the first ones are kept, then one at each doubling with the count so far, and the total
at the end.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from holdfast.model.json import Json, JsonObject
from holdfast.protocol.messages import RUN_LOG

#: Notes of one kind that are kept one by one.
EACH = 20


@dataclass(slots=True)
class NoteBudget:
    """Of one run."""

    _counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def admitted(self, notes: list[JsonObject]) -> list[JsonObject]:
        """The notes that are kept, of those given."""
        return [kept for note in notes if (kept := self._admitted(note)) is not None]

    def totals(self) -> list[JsonObject]:
        """The count of each kind of which some were dropped."""
        return [
            {"what": "counted", "kind": what, "event": event, "count": count}
            for (what, event), count in sorted(self._counts.items())
            if count > EACH
        ]

    def _admitted(self, note: JsonObject) -> JsonObject | None:
        event: Json = note.get("event")
        if event not in (RUN_LOG, None):
            return note
        kind = (str(note.get("what")), str(event or ""))
        self._counts[kind] += 1
        count = self._counts[kind]
        if count <= EACH:
            return note
        return {**note, "count": count} if count & (count - 1) == 0 else None

"""What a run left in its journal, in the words that the cases use."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from holdfast.model.record import Kind

#: Keys of an error that cases know; the rest is ours.
_INTERNAL = {"stack"}


@dataclass(frozen=True)
class Recording:
    """Records of one run, (kind, body) in order."""

    records: list[tuple[int, bytes]]

    def bodies(self, kind: Kind) -> list[dict[str, Any]]:
        return [json.loads(body) for number, body in self.records if number == kind]

    @cached_property
    def traces(self) -> list[dict[str, Any]]:
        return self.bodies(Kind.TRACE)

    @property
    def outcome(self) -> dict[str, Any] | None:
        return next(iter(self.bodies(Kind.OUTCOME)), None)

    @property
    def end(self) -> dict[str, Any] | None:
        """`{"none": bool, "state"?}` of a workflow that ended."""
        return next((event for event in self.traces if event["event"] == "end"), None)

    @property
    def error(self) -> dict[str, Any] | None:
        """What the runtime was rejected with."""
        found = next((event for event in self.traces if event["event"] == "error"), None)
        return None if found is None else found["error"]

    @property
    def events(self) -> list[dict[str, Any]]:
        """Events of the runtime, as its callback gets them."""
        return [event for event in self.traces if event["event"] not in {"end", "error"}]

    def logs(self, source: str) -> list[dict[str, Any]]:
        return [
            {
                "level": "print" if line.get("print") else line["level"],
                "message": line["message"],
            }
            for line in self.bodies(Kind.LOG)
            if line["source"] == source
        ]

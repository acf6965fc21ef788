"""What a run has told of its requests: their number, counts, and those without an answer. Pure.

Where each step has a process of its own, each knows of its own requests only. Their numbers go on
from process to process, and their counts are added up here. So no process can change what one
before it has told.
"""

from __future__ import annotations

from typing import Any

from holdfast.model.json import Json, JsonObject

#: Requests that are told one by one; those beyond are counted (`requests.mjs`).
TOLD = 1000
#: Requests without an answer that are remembered, and the place of one that is only counted.
MAX_PENDING = 100
_COUNTED = -1
#: Hosts of the counts; further ones stand together under the empty name. Addresses of one.
_HOSTS, _ADDRESSES = 60, 20
#: No run makes more requests.
_MOST = 10**9


class Asked:
    """The requests of one run."""

    def __init__(self) -> None:
        #: Requests without an answer, in words, by their number.
        self.pending: dict[int, str] = {}
        self._highest = 0  # number of those that are told one by one
        self._before = 0  # the highest of the processes before this one
        self._earlier: dict[str, JsonObject] = {}  # counts of those processes, by host
        self._counts: dict[str, JsonObject] = {}  # with those of this one

    @property
    def number(self) -> int:
        """How many there were."""
        beyond = sum(_count(item["made"]) for item in self._counts.values())
        return min(TOLD + beyond, _MOST) if beyond else self._highest

    def next_process(self) -> None:
        """What is told from here on, another process tells."""
        self._before, self._earlier = self._highest, self._counts

    def take(self, body: dict[str, Any]) -> dict[str, Any]:
        """The record as it is kept. ValueError if it tells what its process cannot know."""
        number = body["number"]
        if body["what"] == "more":
            self._counts = _added(self._earlier, body.get("hosts", []))
            body, number = {**body, "hosts": [*self._counts.values()]}, _COUNTED
        elif not self._before < number <= TOLD:
            message = f"a request has the number {number}, not {self._before + 1} to {TOLD}"
            raise ValueError(message)
        else:
            self._highest = max(self._highest, number)
        asked = _waiting(body, self.pending.pop(number, None))
        if asked is not None and len(self.pending) < MAX_PENDING:
            self.pending[number] = asked
        return body


def _added(earlier: dict[str, JsonObject], hosts: list[JsonObject]) -> dict[str, JsonObject]:
    """The counts of both. ValueError where `answered` is not one count for each first digit."""
    found = dict(earlier)
    for told in hosts:
        answered = told["answered"]
        if not isinstance(answered, list) or len(answered) != 5:
            message = "a count of answers is not one for each first digit of a status"
            raise ValueError(message)
        name = str(told["host"])
        if name not in found and len(found) >= _HOSTS - 1:
            name = ""
        found[name] = _sum(found[name], told) if name in found else {**told, "host": name}
    return found


def _sum(one: JsonObject, other: JsonObject) -> JsonObject:
    pairs = zip(_list(one, "answered"), _list(other, "answered"), strict=True)
    answered: list[Json] = [_count(a) + _count(b) for a, b in pairs]
    addresses = dict.fromkeys([*_list(one, "addresses"), *_list(other, "addresses")])
    counts = {name: _count(one[name]) + _count(other[name]) for name in ("made", "sent", "failed")}
    return {
        "host": one["host"],
        **counts,
        "answered": answered,
        "addresses": [*addresses][:_ADDRESSES],
    }


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


def _list(value: JsonObject, name: str) -> list[Any]:
    found = value[name]
    return found if isinstance(found, list) else []


def _waiting(body: dict[str, Any], before: str | None) -> str | None:
    """A request without an answer, in words; None: it has ended. `before`: as it was known."""
    what = body["what"]
    if what in ("made", "sent"):
        return f"{body.get('method', '?')} {body.get('host', '?')}{body.get('path', '')}"
    if what == "begun" and before is not None:
        return f"{before} (its status {body.get('status')} has come, not its end)"
    return body.get("open") if what == "more" else None

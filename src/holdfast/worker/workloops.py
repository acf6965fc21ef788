"""Workloops: which queues are claimed from with how many slots, and who holds a slot. Pure.

Grammar and accounting: `docs/spec/worker-protocol.md` section 3.4.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from holdfast.model.errors import UsageError

_NAME = re.compile(r"[a-zA-Z0-9_]+")
DEFAULT_QUEUES = "manual>*"


@dataclass(slots=True)
class Workloop:
    """One claim loop: its queues in order of preference, and its slots.

    A slot is taken when a claim is sent and goes from the claim to the run it brings; a claim
    whose answer will not come gives it back (weakness W2 of the reference).
    """

    queues: tuple[str, ...]
    slots: int
    claims: int = 0  # unanswered
    runs: set[str] = field(default_factory=set)

    @property
    def key(self) -> str:
        """Its name in the join of worker:queue."""
        return ">".join(self.queues)

    @property
    def free(self) -> int:
        """Slots that a further claim may ask for."""
        return max(0, self.slots - self.claims - len(self.runs))

    @property
    def busy(self) -> bool:
        """Whether any claim or run is out."""
        return bool(self.claims or self.runs)


def parse_workloops(text: str) -> list[Workloop]:
    """Workloops from `<queue>(><queue>)*:<count>`, separated by blanks. UsageError if broken.

    Two with the same queues are one with the slots of both: a platform tells them by their queues.
    """
    loops: dict[str, Workloop] = {}
    for token in text.split():
        loop = _parse(token)
        if loop.key in loops:
            loops[loop.key].slots += loop.slots
        else:
            loops[loop.key] = loop
    if not loops:
        message = "the workloops are empty"
        raise UsageError(message, fix=f"The default is {DEFAULT_QUEUES}:5")
    return list(loops.values())


def _parse(token: str) -> Workloop:
    names, colon, count = token.rpartition(":")
    queues = tuple(dict.fromkeys(names.split(">")))  # a name that comes again says nothing
    fix = "A workloop looks like fast_lane:1 or manual>*:4 (queues by preference : slots)."
    if not colon or not count.isascii() or not count.isdigit() or int(count) < 1:
        message = f"workloop {token!r}: the number of slots must be 1 or more"
        raise UsageError(message, fix=fix)
    for place, name in enumerate(queues):
        if name == "*" and place < len(queues) - 1:
            message = f"workloop {token!r}: * may only be the last queue"
            raise UsageError(message, fix=fix)
        if name != "*" and not _NAME.fullmatch(name):
            message = f"workloop {token!r}: {name!r} is not the name of a queue"
            raise UsageError(message, fix=fix)
    return Workloop(queues, int(count))

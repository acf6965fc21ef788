"""Faults that a test orders from a twin: what it does with a message instead of answering it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from holdfast.model.json import Json


class Do(Enum):
    """What to do with a message instead of answering it properly."""

    LOSE = "lose"  # it never arrived: not recorded, not answered
    MUTE = "mute"  # recorded, not answered
    CUT_BEFORE = "cut before"  # the connection ends before it is recorded
    CUT_AFTER = "cut after"  # recorded, then the connection ends instead of an answer
    REFUSE = "refuse"  # answered with an error
    DELAY = "delay"  # recorded and answered later
    DUPLICATE = "duplicate"  # answered twice
    REORDER = "reorder"  # recorded; the answer comes behind that of a later message
    CRASH = "crash"  # the channel dies before it is recorded
    CRASH_AFTER = "crash after"  # recorded, then the channel dies instead of an answer


#: Faults that strike before the message is recorded.
BEFORE = frozenset({Do.LOSE, Do.CUT_BEFORE, Do.REFUSE, Do.CRASH})


@dataclass(slots=True)
class Order:
    """One ordered fault."""

    event: str
    do: Do
    times: int = 1
    response: Json = None
    seconds: float = 0.2
    run: str | None = None

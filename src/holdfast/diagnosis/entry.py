"""One row of the catalogue of causes, and whose turn it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Turn(StrEnum):
    """Who has to do something now."""

    AUTHOR = "author"  # the workflow: its code, its edges, its settings
    DATA = "data"  # whoever sent the data that the code could not work with
    SYSTEM = "system"  # the other system that the run talked to
    OPERATOR = "operator"  # whoever runs this worker: limits, network, disk, secrets
    HOLDFAST = "holdfast"  # a fault of ours: report it
    NOBODY = "nobody"  # somebody wanted it so


#: What a person reads in place of the word.
TURNS = {
    Turn.AUTHOR: "the workflow's author",
    Turn.DATA: "whoever sends the data",
    Turn.SYSTEM: "the other system",
    Turn.OPERATOR: "the operator of this worker",
    Turn.HOLDFAST: "Holdfast's developers",
    Turn.NOBODY: "nobody: it was asked for",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One way in which a step can end.

    `what` and `change` are templates: the names in braces are filled in by the rule that found
    the cause. `example` shows the mistake and its repair.
    """

    code: str
    title: str
    turn: Turn
    what: str
    change: str
    example: str

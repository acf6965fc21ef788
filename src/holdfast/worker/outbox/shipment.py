"""The content of one message, and its place in the journal. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from holdfast.model.value import value
from holdfast.worker.outbox.events import Event
from holdfast.worker.outbox.settling import Item


@dataclass(slots=True, eq=False)
class Shipment:
    """The content of one message: one event, several log lines, or a question about a step."""

    name: str
    items: tuple[Item, ...]
    probe: bool = False
    bytes: int = field(init=False)  # about, as it was when it was made

    def __post_init__(self) -> None:
        first, *others = self.items
        self.bytes = first.event.bytes + sum(item.event.bytes for item in others)

    @property
    def events(self) -> list[Event]:
        return [item.event for item in self.items]

    @property
    def suspect(self) -> bool:
        """Whether its frame may have ended a connection: then nothing else is sent beside it."""
        return self.items[0].suspect

    @property
    def is_final(self) -> bool:
        return self.items[0].event.is_final


@value
class Source:
    """A record that the mark has not passed yet.

    A barrier is passed only when the outcome was accepted: the result stands in front of the
    outcome and is needed again to make its events.
    """

    sequence: int
    end: int
    events: int
    barrier: bool = False

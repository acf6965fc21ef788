"""What may leave while others are unanswered. Pure.

- A log line, behind anything. Behind the start of a step only its own lines and lines of no step.
- The start of a run, behind lines; the end of a step, behind its start and behind lines. If it was
  never sent before.

Every other event waits for the fate of all before it, and nothing leaves behind the start of a
step that may be stored already, as that is settled first.

A platform works in order, and takes what names a step only where it took the start. Refused while
the start is not settled, it goes again. So nothing can come late but a refused line: among other
lines, and behind the end of its step. Its timestamp tells its place.
"""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.protocol.messages import (
    RUN_BATCH_LOGS,
    RUN_LOG,
    RunComplete,
    RunStart,
    StepComplete,
    StepStart,
)
from holdfast.worker.outbox.settling import Item
from holdfast.worker.outbox.shipment import Shipment


def may_follow(shipment: Shipment, flying: Sequence[Shipment], *, idempotent: bool) -> bool:
    """Whether it may leave while these are unanswered; the first of them left first."""
    first, ahead = shipment.items[0], flying[0].items[0]
    if first.suspect or ahead.suspect:
        return False
    begins = isinstance(ahead.event.body, StepStart)
    if begins and ((ahead.doubt and not idempotent) or not _beside(shipment, ahead.event.step_id)):
        return False
    if first.event.is_log:
        return True
    fresh = idempotent or not first.doubt
    return (
        fresh
        and isinstance(first.event.body, RunStart | StepComplete)
        and all(_is_line(other, idempotent=idempotent) for other in flying[begins:])
    )


def waits_for_all(item: Item) -> bool:
    """Whether it can go only when nothing is unanswered."""
    return isinstance(item.event.body, StepStart | RunComplete)


def waits_for_start(item: Item, head: Item | None) -> bool:
    """Whether the start of the item's step is ahead of it and not taken. `head`: the first item
    that was sent and not accepted."""
    if head is None or head is item or not isinstance(head.event.body, StepStart):
        return False
    return item.event.step_id is not None and item.event.step_id == head.event.step_id


def _beside(shipment: Shipment, step: str | None) -> bool:
    """Whether the start of this step changes nothing of it, or is needed for it to be taken."""
    return all(
        item.event.step_id == step or (item.event.is_log and item.event.step_id is None)
        for item in shipment.items
    )


def _is_line(shipment: Shipment, *, idempotent: bool) -> bool:
    """A line whose refusal changes nothing; a refused batch goes as single lines."""
    alone = shipment.name == RUN_LOG and not shipment.probe
    return alone or (idempotent and shipment.name == RUN_BATCH_LOGS)

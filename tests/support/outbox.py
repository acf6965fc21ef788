"""An Outbox for the tests of delivery, and a platform's answers to it."""

from __future__ import annotations

from holdfast.journal import Position
from holdfast.model.json import Json
from holdfast.protocol.frames import Reply
from holdfast.protocol.messages import Extension
from holdfast.worker.outbox.outbox import Outbox
from support.tape import Tape

OK = Reply("1", "ok", None)
FAST = Extension(64, batch_logs=True, idempotent=True)


def refusal(response: Json = "no") -> Reply:
    return Reply("1", "error", response)


def begin(tape: Tape, position: Position | None = None, offer: Extension | None = None) -> Outbox:
    outbox = Outbox(position or Position())
    outbox.adapt(offer or Extension(), batch=False, limit=50, batch_seconds=0)
    for record in tape.records:
        if record.sequence > outbox.position.sequence:
            outbox.feed(record, 0.0)
    return outbox


def drain(outbox: Outbox) -> list[str]:
    names = []
    while (shipment := outbox.next(1e9)) is not None:
        names.append(shipment.name)
        outbox.answered(shipment, OK, 0.0)
    return names

"""Delivery of one run where the platform refuses: what is sent again, and what is given up."""

from __future__ import annotations

import pytest

from holdfast.journal import DeliveryState, Position
from holdfast.model.json import Json, JsonObject
from holdfast.model.record import Kind
from holdfast.protocol.client import Loss
from holdfast.protocol.messages import Extension, RunComplete, StepComplete
from holdfast.worker.outbox import outbox as module
from holdfast.worker.outbox.outbox import Outbox
from support.outbox import FAST, OK, begin, refusal
from support.tape import Tape, whole_run

KNOWN = refusal({"state": ["already in completed state"]})


@pytest.mark.parametrize("offer", [None, FAST])
@pytest.mark.parametrize("lost", [Loss.CONNECTION, Loss.CLOSE, Loss.ERROR, Loss.FRAME, None])
def test_outcome_that_is_known_already_after_a_loss_is_accepted(
    lost: Loss | None, offer: Extension | None
) -> None:
    outbox = begin(whole_run(), offer=offer)
    first = None
    while first is None or not first.is_final:
        if first is not None:
            outbox.answered(first, OK, 0.0)
        first = outbox.next(0.0)
        assert first is not None
        outbox.going(first)
    outbox.unanswered(first, lost, 0.0)
    again = outbox.next(1e9)
    assert again is not None
    outbox.answered(again, KNOWN, 0.0)
    assert outbox.finished
    assert outbox.given_up is None
    assert outbox.notes == []


def test_outcome_that_is_known_already_at_its_first_send_is_not_ours() -> None:
    outbox = begin(whole_run())
    while (shipment := outbox.next(0.0)) is not None:
        outbox.going(shipment)
        outbox.answered(shipment, KNOWN if shipment.is_final else OK, 0.0)
    assert not outbox.finished
    assert outbox.given_up == module.ENDED_BEFORE
    assert [note["event"] for note in outbox.notes] == ["run:complete"]


def test_successor_knows_that_the_outcome_may_be_stored() -> None:
    tape = whole_run()
    outbox = begin(tape)
    while (shipment := outbox.next(0.0)) is not None and not shipment.is_final:
        outbox.answered(shipment, OK, 0.0)
    assert shipment is not None
    outbox.going(shipment)
    successor = begin(tape, outbox.position)
    final = successor.next(0.0)
    assert final is not None
    successor.answered(final, KNOWN, 0.0)
    assert successor.finished
    assert successor.position.delivery is DeliveryState.COMPLETE


def test_w12_w13_refused_events_never_block_the_outcome() -> None:
    outbox = begin(whole_run(logs=2))
    while (shipment := outbox.next(0.0)) is not None:
        final = shipment.items[0].event.is_final
        outbox.answered(shipment, OK if final else refusal(), 0.0)
    assert outbox.finished
    assert [note["event"] for note in outbox.notes] == [
        "run:start", "run:log", "step:start", "run:log", "run:log", "step:complete", "run:log",
        "run:log",
    ]  # fmt: skip


def test_w14_a_refused_outcome_is_tried_again_and_then_given_up_with_the_reason() -> None:
    tape = Tape()
    tape.add(Kind.OUTCOME, reason="crash", error_type="X", error_message="y")
    outbox = begin(tape)
    drained: list[float] = []
    now = 0.0
    while outbox.given_up is None:
        now += 100
        shipment = outbox.next(now)
        assert shipment is not None
        if shipment.items[0].event.is_final:
            drained.append(now)
            outbox.answered(shipment, refusal({"errors": {"reason": ["is unknown"]}}), now)
        else:
            outbox.answered(shipment, OK, now)
    assert len(drained) == module.FINAL_REFUSALS
    assert "is unknown" in outbox.given_up
    assert outbox.next(now + 1e6) is None
    assert outbox.position.delivery is DeliveryState.OPEN


def test_an_outcome_whose_dataclip_is_unknown_is_sent_without_it() -> None:
    tape = whole_run(0)
    outbox = begin(tape)
    refused = 0
    while (shipment := outbox.next(1e9)) is not None:
        event = shipment.items[0].event
        if event.is_final and "final_dataclip_id" not in event.without:
            refused += 1
            error: Json = {"errors": {"final_dataclip_id": ["does not exist"]}}
            outbox.answered(shipment, refusal(error), 0.0)
        else:
            outbox.answered(shipment, OK, 0.0)
    assert refused == 1
    assert outbox.finished


def test_w23_a_refused_batch_is_sent_line_by_line() -> None:
    tape = Tape()
    for number in range(5):
        tape.log(f"{number}")
    outbox = begin(tape, offer=FAST)
    batch = outbox.next(0.0)
    assert batch is not None
    assert len(batch.items) == 5
    outbox.answered(batch, refusal({"errors": {"level": ["is invalid"]}}), 0.0)
    sent = []
    while (shipment := outbox.next(0.0)) is not None:
        sent.append(shipment)
    assert [len(shipment.items) for shipment in sent] == [1] * 5
    outbox.answered(sent[2], refusal(), 0.0)  # one line is bad; the others are kept
    for shipment in [*sent[:2], *sent[3:]]:
        outbox.answered(shipment, OK, 0.0)
    assert outbox.idle
    assert len(outbox.notes) == 1


@pytest.mark.parametrize("what", ["renamed", "refused"])
def test_a_successor_sends_no_end_of_a_step_again_of_which_a_note_tells(what: str) -> None:
    """Another copy would give the output another id than the one that later steps were told."""
    tape = whole_run()
    ends = [record for record in tape.records if record.kind == Kind.STEP_COMPLETE]
    clip = ends[0].json()["output_dataclip_id"]
    there = "c0ffee00-0000-4000-8000-000000000000" if what == "renamed" else None
    note: JsonObject = {"what": what, "event": "step:complete", "dataclip": clip, "as": there}
    successor = Outbox(Position(0, 0), resumed=True)
    successor.know([note])
    successor.adapt(Extension(), batch=False, limit=1, batch_seconds=0)
    for record in tape.records:
        successor.feed(record, 0.0)
    sent = []
    while (shipment := successor.next(0.0)) is not None:
        sent.append(shipment)
        successor.answered(shipment, OK, 0.0)
    assert successor.finished
    told = [s.events[0].body for s in sent if s.name == "step:complete"]
    assert clip not in [body.output_dataclip_id for body in told if isinstance(body, StepComplete)]
    assert len(told) == len(ends) - 1
    (final,) = [s.events[0].body for s in sent if s.is_final]
    assert isinstance(final, RunComplete)
    assert final.final_dataclip_id == there

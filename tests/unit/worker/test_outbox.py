"""Delivery of one run: nothing lost, nothing skipped, order kept, whatever is answered."""

from __future__ import annotations

import random
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.journal import DeliveryState, Position, Record
from holdfast.model.json import Json
from holdfast.model.record import Kind
from holdfast.protocol.client import Loss
from holdfast.protocol.messages import Extension
from holdfast.worker.outbox import outbox as module
from holdfast.worker.outbox.outbox import PLAIN_WINDOW, Outbox
from holdfast.worker.outbox.settling import Item
from holdfast.worker.outbox.shipment import Shipment
from support.outbox import FAST, OK, begin, drain, refusal
from support.tape import Tape, whole_run


def identity(item: Item) -> object:
    return (item.event.name, item.event.body)


def test_one_after_the_other_where_nothing_else_was_offered() -> None:
    outbox = begin(whole_run(logs=2))
    first = outbox.next(0.0)
    assert first is not None
    assert first.name == "run:start"
    line = outbox.next(0.0)
    assert line is not None
    assert line.name == "run:log"
    assert outbox.next(0.0) is None, "the step waits for both"
    outbox.answered(first, OK, 0.0)
    assert outbox.next(0.0) is None
    outbox.answered(line, OK, 0.0)
    assert drain(outbox) == [
        "step:start", "run:log", "run:log", "step:complete", "run:log", "run:log",
        "run:complete",
    ]  # fmt: skip
    assert outbox.finished
    assert outbox.position.delivery is DeliveryState.COMPLETE
    assert outbox.position.sequence == 13


def test_a_window_and_batches_where_they_were_offered() -> None:
    outbox = begin(whole_run(logs=120), offer=FAST)
    rounds = []
    while flying := list(iter(partial(outbox.next, 0.0), None)):
        rounds.append([(shipment.name, len(shipment.items)) for shipment in flying])
        for shipment in flying:
            outbox.answered(shipment, OK, 0.0)
    assert rounds == [
        [("run:start", 1), ("run:batch_logs", 1)],
        [
            ("step:start", 1), ("run:batch_logs", 50), ("run:batch_logs", 50),
            ("run:batch_logs", 20), ("step:complete", 1), ("run:batch_logs", 2),
        ],
        [("run:complete", 1)],
    ]  # fmt: skip


def test_a_step_never_overtakes_a_line_that_has_to_be_sent_again() -> None:
    tape = Tape()
    tape.log("before")
    tape.add(Kind.STEP_START, step_id="s", job_id="j")
    outbox = begin(tape, offer=FAST)
    line = outbox.next(0.0)
    assert line is not None
    assert outbox.next(0.0) is None, "a successor may not hear that the line was refused"
    outbox.unanswered(line, Loss.CONNECTION, 0.0)
    assert drain(outbox) == ["run:batch_logs", "step:start"]


UNKNOWN: Json = {"step_id": ["must be associated with the run"]}


def one_step(lines: int) -> Tape:
    """A step with lines, and a line behind it."""
    tape = Tape()
    tape.add(Kind.STEP_START, step_id="s", job_id="j", input_dataclip_id="c")
    for number in range(lines):
        tape.log(f"{number}", step="s")
    tape.add(Kind.STEP_COMPLETE, step_id="s", job_id="j", reason="success")
    tape.log("behind")
    tape.add(Kind.OUTCOME, reason="success")
    return tape


def flight(outbox: Outbox) -> list[Shipment]:
    """All that may leave now."""
    return list(iter(partial(outbox.next, 0.0), None))


@pytest.mark.parametrize("restarted", [False, True])
def test_lines_of_a_refused_step_go_without_it_in_their_order(restarted: bool) -> None:
    tape = one_step(3)
    outbox = begin(tape)
    start, *behind = flight(outbox)
    names = ["run:log"] * 3 + ["step:complete"] + ["run:log"] * 2
    assert [shipment.name for shipment in behind] == names
    outbox.answered(start, refusal(), 0.0)
    if restarted:
        notes, position = outbox.notes, outbox.position
        outbox = Outbox(position)
        outbox.know(notes)
        outbox.adapt(Extension(), batch=False, limit=50, batch_seconds=0)
        for record in tape.records:
            if record.sequence > position.sequence:
                outbox.feed(record, 0.0)
    else:
        for shipment in behind[:4]:
            outbox.answered(shipment, refusal(UNKNOWN), 0.0)
        for shipment in behind[4:]:
            outbox.answered(shipment, OK, 0.0)
    lines = [shipment.events[0] for shipment in flight(outbox)[:3]]
    assert [event.body.message for event in lines] == [["0"], ["1"], ["2"]]  # type: ignore[union-attr]
    assert all("step_id" in event.without for event in lines)
    assert outbox.known.unknown_steps == {"s"}
    assert not any(note["event"] == "run:log" for note in outbox.notes), "that says nothing new"


def test_a_start_that_is_refused_in_part_keeps_its_lines_and_its_end() -> None:
    outbox = begin(one_step(2))
    start, *behind = flight(outbox)
    outbox.answered(start, refusal({"input_dataclip": ["does not exist"]}), 0.0)
    for shipment in behind[:3]:
        outbox.answered(shipment, refusal(UNKNOWN), 0.0)
    for shipment in behind[3:]:
        outbox.answered(shipment, OK, 0.0)
    again = flight(outbox)
    assert [shipment.name for shipment in again] == [
        "step:start", "run:log", "run:log", "step:complete",
    ]  # fmt: skip
    assert all(shipment.events[0].step_id == "s" for shipment in again)
    for shipment in again:
        outbox.answered(shipment, OK, 0.0)
    assert drain(outbox) == ["run:complete"]
    assert [note["what"] for note in outbox.notes] == ["refused in part"]


def test_nothing_goes_behind_a_start_that_may_be_stored() -> None:
    outbox = begin(one_step(2))
    for shipment in flight(outbox):
        outbox.unanswered(shipment, Loss.CONNECTION, 0.0)
    (question,) = flight(outbox)
    assert question.probe
    outbox.answered(question, refusal({"message": ["blank"], **UNKNOWN}), 0.0)  # type: ignore[dict-item]
    start, *_ = flight(outbox)
    assert start.name == "step:start"


def test_half_of_the_window_is_waited_for_while_it_is_full() -> None:
    tape = Tape()
    for number in range(2 * PLAIN_WINDOW):
        tape.log(f"{number}")
    outbox = begin(tape)
    flying = flight(outbox)
    assert len(flying) == outbox.window
    turns = []
    for shipment in flying:
        outbox.answered(shipment, OK, 0.0)
        turns.append(outbox.has_work())
    assert turns.index(True) == outbox.window // 2 - 1
    (shipment, *_) = flight(outbox)
    outbox.answered(shipment, refusal({"step_id": ["is invalid"]}), 0.0)
    assert outbox.has_work(), "a line that goes again does not wait"


def test_what_waits_for_all_answers_has_its_turn_when_they_are_here() -> None:
    outbox = begin(whole_run(logs=3))
    flying = flight(outbox)
    turns = []
    for shipment in flying:
        outbox.answered(shipment, OK, 0.0)
        turns.append(outbox.has_work())
    assert turns == [False] * (len(flying) - 1) + [True]


def test_no_other_step_and_no_outcome_goes_behind_one_that_is_open() -> None:
    tape = Tape()
    tape.add(Kind.STEP_START, step_id="s", job_id="j")
    tape.log("of another", step="other")
    outbox = begin(tape)
    assert [shipment.name for shipment in flight(outbox)] == ["step:start"]
    tape = Tape()
    tape.add(Kind.STEP_START, step_id="s", job_id="j")
    tape.add(Kind.STEP_COMPLETE, step_id="other", job_id="j", reason="success")
    outbox = begin(tape)
    assert [shipment.name for shipment in flight(outbox)] == ["step:start"]


def test_a_step_whose_start_was_not_answered_may_be_known() -> None:
    tape = Tape()
    tape.add(Kind.STEP_START, step_id="s", job_id="j")
    tape.log("0", step="s")
    outbox = begin(tape, offer=FAST)
    for now in range(module.TIMEOUTS):
        start = outbox.next(now * 100.0)
        assert start is not None
        outbox.unanswered(start, None, now * 100.0)
    line = outbox.next(1e6)
    assert line is not None
    assert line.name == "run:batch_logs"
    assert line.events[0].without == frozenset()


def test_the_mark_stays_before_the_result_until_the_outcome_is_accepted() -> None:
    tape = whole_run(logs=1)
    result = next(record for record in tape.records if record.kind == Kind.RESULT)
    outbox = begin(tape)
    while (shipment := outbox.next(0.0)) is not None and not shipment.items[0].event.is_final:
        outbox.answered(shipment, OK, 0.0)
        assert outbox.position.sequence < result.sequence
    # the worker dies here; its successor makes the same outcome, with the state
    successor = begin(tape, outbox.position)
    final = successor.next(0.0)
    assert final is not None
    (event,) = final.events
    assert event.is_final
    assert event.document == {"inline": '{"data":{"n":1}}'}


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32), logs=st.integers(0, 8), fast=st.booleans())
def test_whatever_happens_every_event_arrives_in_order(seed: int, logs: int, fast: bool) -> None:
    """Losses, time-outs, restarts: the platform that counts identities once has each, in order.

    What holds on a platform that does not count them: test_settling.py.
    """
    offer = FAST if fast else Extension(1, idempotent=True)
    chance = random.Random(seed)
    tape = whole_run(logs)
    platform: list[object] = []
    position, now = Position(), 0.0
    outbox = begin(tape, position, offer)
    flying: list[Shipment] = []
    for _ in range(4000):
        if outbox.finished:
            break
        now += 40
        while (shipment := outbox.next(now)) is not None:
            flying.append(shipment)
        assert len(flying) <= outbox.window
        dice = chance.random()
        if dice < 0.03:  # the agent dies; what was in flight may have arrived
            for shipment in flying[: chance.randint(0, len(flying))]:
                platform += [identity(i) for i in shipment.items if identity(i) not in platform]
            flying.clear()
            outbox = begin(tape, outbox.position, offer)
        elif dice < 0.2 and flying:  # the connection is lost
            arrived = chance.randint(0, len(flying))
            for number, shipment in enumerate(flying):
                if number < arrived:
                    platform += [
                        identity(i) for i in shipment.items if identity(i) not in platform
                    ]
                outbox.unanswered(shipment, Loss.CONNECTION, now)
            flying.clear()
        elif flying:
            shipment = flying.pop(0)
            platform += [identity(i) for i in shipment.items if identity(i) not in platform]
            outbox.answered(shipment, OK, now)
    assert outbox.finished
    expected = [identity(item) for item in begin(tape)._queue]
    assert platform == expected
    assert outbox.position.sequence == tape.records[-1].sequence


def test_w24_an_outage_uses_up_no_attempts() -> None:
    outbox = begin(whole_run())
    for now in range(1000):
        shipment = outbox.next(float(now))
        assert shipment is not None
        outbox.unanswered(shipment, Loss.CONNECTION, float(now))
    assert drain(outbox)[0] == "run:start"
    assert outbox.notes == []


def test_w9_no_answer_in_time_means_again_and_in_the_end_a_note() -> None:
    outbox = begin(whole_run())
    now = 0.0
    for _ in range(module.TIMEOUTS):
        now += 100
        shipment = outbox.next(now)
        assert shipment is not None
        assert shipment.name == "run:start"
        outbox.unanswered(shipment, None, now)
        assert outbox.next(now) is None
        assert outbox.wake_at(now) is not None
    shipment = outbox.next(now + 100)
    assert shipment is not None
    assert shipment.name == "run:log"
    assert outbox.notes == [{"what": "refused", "event": "run:start", "why": "no answer"}]


def test_an_event_that_crashes_the_channel_is_left_out_at_last() -> None:
    tape = Tape()
    tape.add(Kind.STEP_START, step_id="s", job_id="j")
    tape.add(Kind.OUTCOME, reason="success")
    outbox = begin(tape, offer=FAST)
    for _ in range(module.CRASHES):
        shipment = outbox.next(0.0)
        assert shipment is not None
        assert shipment.name == "step:start"
        outbox.unanswered(shipment, Loss.ERROR, 0.0)
    assert drain(outbox) == ["run:batch_logs", "run:complete"]


def test_w16_a_channel_that_is_closed_or_crashes_is_not_the_fault_of_what_follows() -> None:
    outbox = begin(whole_run(logs=3), offer=FAST)
    for loss in (Loss.CLOSE, Loss.ERROR) * (module.CRASHES - 1):
        flying = []
        while (shipment := outbox.next(0.0)) is not None:
            flying.append(shipment)
        for shipment in flying:
            outbox.unanswered(shipment, loss, 0.0)
    names = drain(outbox)
    assert names[0] == "run:start"
    assert names[-1] == "run:complete"
    assert outbox.notes == []


def test_w20_a_large_event_in_flight_at_every_loss_is_sent_alone_and_then_shrunk() -> None:
    tape = Tape()
    tape.add(Kind.STEP_COMPLETE, step_id="s", job_id="j", reason="success",
             output_dataclip_id="d", output={"blob": "0" * 64, "bytes": 9_000_000})  # fmt: skip
    outbox = begin(tape)
    for attempt in range(module.LOSSES + 1):
        shipment = outbox.next(0.0)
        assert shipment is not None
        assert shipment.suspect is (attempt == module.LOSSES)
        assert not shipment.items[0].event.without
        outbox.unanswered(shipment, Loss.CONNECTION, 0.0)
    shipment = outbox.next(0.0)
    assert shipment is not None
    assert not shipment.suspect
    assert "large output" in shipment.items[0].event.without


def test_a_record_that_cannot_be_read_is_noted_and_passed() -> None:
    tape = Tape()
    outbox = begin(tape)
    outbox.feed(Record(1, 0, Kind.LOG, b"{broken", 8, 40), 0.0)
    outbox.feed(Record(2, 0, Kind.STEP_START, b"{}", 40, 67), 0.0)
    assert outbox.position.sequence == 2
    assert [note["what"] for note in outbox.notes] == ["unreadable"] * 2


def test_batches_wait_a_moment_for_more_but_not_when_something_else_follows() -> None:
    tape = Tape()
    outbox = Outbox(Position())
    outbox.adapt(Extension(), batch=True, limit=3, batch_seconds=0.01)
    outbox.feed(tape.log("a"), 5.0)
    assert outbox.next(5.0) is None
    assert outbox.wake_at(5.0) == pytest.approx(5.01)
    shipment = outbox.next(5.02)
    assert shipment is not None
    outbox.not_sent(shipment)
    outbox.feed(tape.log("b"), 5.0)
    outbox.feed(tape.add(Kind.STEP_START, step_id="s", job_id="j"), 5.0)
    shipment = outbox.next(5.001)
    assert shipment is not None
    assert shipment.name == "run:batch_logs"

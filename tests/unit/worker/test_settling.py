"""Events whose answer was lost, on a Lightning that is not idempotent: its data stays right."""

from __future__ import annotations

import json
import random
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.journal import Position
from holdfast.model.json import JsonObject
from holdfast.model.record import Kind
from holdfast.protocol.client import Loss
from holdfast.protocol.frames import Reply
from holdfast.protocol.messages import Extension
from holdfast.testing.profile import OLD, PROFILES, Profile
from holdfast.worker.outbox import events, settling
from holdfast.worker.outbox.outbox import CRASHES, Outbox
from holdfast.worker.outbox.settling import Probe
from holdfast.worker.outbox.shipment import Shipment
from support.referee import Fate, Referee, Steps, problems, uid
from support.tape import Tape

KINDS = ("run:start", "step:start", "run:log", "step:complete", "run:complete")
FATES = [fate for fate in Fate if fate is not Fate.ANSWERED]


class Once:
    """Gives a fate to the first messages of some kinds, and lets the others pass."""

    def __init__(self, fates: dict[str, Fate], times: int = 1) -> None:
        self.fates = fates
        self.left = dict.fromkeys(fates, times)

    def __call__(self, shipment: Shipment) -> Fate:
        if self.left.get(shipment.name, 0) and not shipment.probe:
            self.left[shipment.name] -= 1
            return self.fates[shipment.name]
        return Fate.ANSWERED


@pytest.mark.parametrize(("kind", "fate", "times"), [*product(KINDS, FATES, (1, 3))])
def test_one_kind_of_event_is_lost_and_nothing_is_missing(
    kind: str, fate: Fate, times: int
) -> None:
    steps = Steps()
    referee = Referee(steps)
    referee.to_the_end(Once({kind: fate}, times))
    assert problems(referee, steps) == []
    assert referee.outbox.finished
    assert referee.run.crashed == [], "no repeat crashes a channel"


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
@pytest.mark.parametrize("fate", FATES)
def test_one_answer_of_each_kind_is_lost_in_one_run(fate: Fate, profile: Profile) -> None:
    steps = Steps()
    referee = Referee(steps, profile)
    referee.to_the_end(Once(dict.fromkeys(KINDS, fate)))
    assert problems(referee, steps) == []
    assert referee.run.crashed == []


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    steps=st.integers(1, 3),
    logs=st.integers(0, 6),
    batch=st.booleans(),
    profile=st.sampled_from(PROFILES),
)
def test_whatever_is_lost_the_database_is_right(
    seed: int, steps: int, logs: int, batch: bool, profile: Profile
) -> None:
    chance = random.Random(seed)
    plan = Steps(steps, logs)
    referee = Referee(plan, profile, batch=batch)
    timeouts = crashes = streak = 0

    def fate(_: Shipment) -> Fate:
        nonlocal timeouts, crashes, streak
        chosen = chance.choice(FATES) if chance.random() < 0.4 else Fate.ANSWERED
        timeouts += chosen is Fate.MUTED
        crash = chosen in {Fate.CRASHED_BEFORE, Fate.CRASHED_AFTER}
        # What is closed or cut between two crashes is no answer, so the same event goes on.
        crashes, streak = crashes + crash, 0 if chosen is Fate.ANSWERED else streak + crash
        if streak == CRASHES:  # of which an event loses its large part, and a note says so
            streak = 0
            return Fate.ANSWERED
        # Five answers in a row that never come are the end of an event, and told as such.
        return Fate.ANSWERED if chosen is Fate.MUTED and timeouts > 4 else chosen

    referee.to_the_end(fate)
    assert problems(referee, plan) == []
    expected = {"run:batch_logs"} if batch and not profile.batch_logs else set()
    if not crashes:  # whoever is not answered for other crashes has to try at last
        assert {name for name, _ in referee.run.crashed} <= expected
        assert len(referee.run.crashed) <= 1


def test_platform_without_batches_is_asked_once() -> None:
    steps = Steps(3, 10)
    referee = Referee(steps, OLD, batch=True)
    referee.to_the_end()
    assert problems(referee, steps) == []
    assert referee.run.crashed == [("run:batch_logs", "no clause for run:batch_logs")]


def test_output_that_is_too_large_is_not_named_by_what_follows() -> None:
    """The next step has no input, and the outcome no dataclip: both are taken."""
    steps = Steps()
    referee = Referee(steps)

    def shrink(shipment: Shipment) -> Fate:
        item = shipment.items[0]
        if shipment.name == "step:complete" and not item.event.without:
            referee.outbox.too_large(item)
        return Fate.ANSWERED

    run = referee.to_the_end(shrink)
    assert run.refused == []
    assert [row.input for row in run.steps.values()] == ["input", None]
    assert [row.output for row in run.steps.values()] == [None, None]
    assert run.state == "success"
    assert run.outcome is not None
    assert "final_dataclip_id" not in run.outcome
    assert [note["what"] for note in referee.notes] == ["shrunk", "renamed"] * 2


def test_output_that_is_too_large_is_known_as_such_after_a_restart() -> None:
    steps = Steps()
    referee = Referee(steps)
    restarts = 0

    def shrink(shipment: Shipment) -> Fate:
        nonlocal restarts
        item = shipment.items[0]
        if shipment.name == "step:complete" and not item.event.without:
            referee.outbox.too_large(item)
        if shipment.name == "step:start" and uid(1001) in str(item.event.body) and not restarts:
            restarts += 1
            return Fate.RESTARTED_BEFORE
        return Fate.ANSWERED

    run = referee.to_the_end(shrink)
    assert [row.input for row in run.steps.values()] == ["input", None]
    assert run.refused == [] or all(name == "run:log" for name, *_ in run.refused)


def test_input_that_the_platform_does_not_know_does_not_cost_the_step() -> None:
    steps = Steps()
    referee = Referee(steps)
    referee.run.plan["dataclip_id"] = "another"
    run = referee.to_the_end()
    assert [row.input for row in run.steps.values()] == [None, uid(2000)]
    assert all(line.step_id for line in run.lines if str(line.message).startswith("['line"))
    assert [note["what"] for note in referee.notes] == ["refused in part"]


@pytest.mark.parametrize("lost", [Fate.CUT_AFTER, Fate.CUT_BEFORE])
def test_output_that_may_be_stored_is_never_stripped(lost: Fate) -> None:
    """A repeat without output would cut off what is stored."""
    steps = Steps(1)
    referee = Referee(steps)
    crashes = 0

    def fate(shipment: Shipment) -> Fate:
        nonlocal crashes
        if shipment.name != "step:complete":
            return Fate.ANSWERED
        crashes += 1
        return lost if crashes == 1 else Fate.CRASHED_BEFORE

    run = referee.to_the_end(fate)
    assert all("output_dataclip" in body for name, body in run.events if name == "step:complete")
    assert run.state == "success"
    (row,) = run.steps.values()
    assert (row.output is not None) is (lost is Fate.CUT_AFTER)


def test_output_that_crashes_every_channel_is_left_out_and_the_step_ends() -> None:
    steps = Steps(1)
    referee = Referee(steps)

    def fate(shipment: Shipment) -> Fate:
        body = shipment.items[0].event
        whole = shipment.name == "step:complete" and "output" not in body.without
        return Fate.CRASHED_BEFORE if whole else Fate.ANSWERED

    run = referee.to_the_end(fate)
    (row,) = run.steps.values()
    assert (row.reason, row.output) == ("success", None)
    step = next(body for name, body in run.events if name == "step:complete")
    assert "output_dataclip_error" not in step, "it was not too large"
    assert run.state == "success"
    assert "final_dataclip_id" not in (run.outcome or {})


def test_run_start_that_crashes_every_channel_does_not_hold_the_run() -> None:
    steps = Steps(1)
    referee = Referee(steps)
    run = referee.to_the_end(
        lambda s: Fate.CRASHED_BEFORE if s.name == "run:start" else Fate.ANSWERED
    )
    assert run.state == "success"
    assert len(run.steps) == 1


def test_crash_of_a_step_whose_question_had_no_clear_answer_means_stored() -> None:
    tape = Tape()
    tape.add(Kind.STEP_START, step_id=uid(1), job_id="j")
    tape.log("line", uid(1))
    outbox = Outbox(Position())
    outbox.adapt(Extension(), batch=False, limit=1, batch_seconds=0)
    for record in tape.records:
        outbox.feed(record, 0.0)
    start = outbox.next(0.0)
    assert start is not None
    outbox.unanswered(start, Loss.CONNECTION, 0.0)
    question = outbox.next(0.0)
    assert question is not None
    assert question.probe
    outbox.answered(question, Reply("1", "error", {"reason": "busy"}), 0.0)
    again = outbox.next(0.0)
    assert again is not None
    assert again.name == "step:start"
    outbox.unanswered(again, Loss.ERROR, 0.0)
    line = outbox.next(0.0)
    assert line is not None
    assert line.events[0].without == frozenset(), "its lines stay with the step"


@pytest.mark.parametrize(
    ("reply", "known"),
    [
        (Reply("1", "error", {"message": ["blank"]}), Probe.KNOWN),
        (Reply("1", "error", {"errors": {"message": ["blank"]}}), Probe.KNOWN),
        (Reply("1", "error", {"message": ["b"], "step_id": ["must be …"]}), Probe.UNKNOWN),
        (Reply("1", "error", {"errors": {"step_id": ["must be …"]}}), Probe.UNKNOWN),
        (Reply("1", "error", {"reason": "busy"}), Probe.INCONCLUSIVE),
        (Reply("1", "ok", {"log_line_id": "x"}), Probe.INCONCLUSIVE),
    ],
)
def test_answer_to_a_question_about_a_step(reply: Reply, known: Probe) -> None:
    assert settling.probed(reply) is known


def test_question_about_a_step_stores_nothing() -> None:
    steps = Steps(1, 0)
    referee = Referee(steps)
    run = referee.to_the_end(Once({"step:start": Fate.CUT_AFTER}))
    asked = [body for name, body, _ in run.refused if name == "run:log"]
    assert [set(body) for body in asked] == [{"run_id", "step_id", "timestamp"}]
    assert not any(line.message is None for line in run.lines)


def test_lines_behind_a_crash_go_again_in_order() -> None:
    steps = Steps(1, 9)
    referee = Referee(steps)
    met = 0

    def fate(shipment: Shipment) -> Fate:
        nonlocal met
        met += shipment.name == "run:log"
        return Fate.CRASHED_AFTER if shipment.name == "run:log" and met == 4 else Fate.ANSWERED

    referee.to_the_end(fate)
    assert problems(referee, steps) == []


def test_one_answer_is_waited_for_in_a_step() -> None:
    steps = Steps(2, 5)
    referee = Referee(steps)
    rounds: list[list[str]] = []
    while not referee.over:
        rounds.append([shipment.name for shipment in referee.send()])
        while referee.flying:
            referee.meet(Fate.ANSWERED)
    lines = ["run:log"] * 5
    step = ["step:start", *lines, "step:complete"]
    assert rounds == [["run:start", "run:log"], step, [*step, "run:log"], ["run:complete"]]


NUL = json.loads(r'"\u0000"')


def test_nothing_that_jobs_leave_crashes_a_channel() -> None:
    hostile: list[JsonObject] = [
        {"inline": text}
        for text in (
            r'{"a":"\u0000"}', r'{"\u0000":1}', r'{"a":[[{"b\u0000":"\ud800"}]]}', "{broken", "",
            '{"a":"\ud800"}', '{"a":' * 2000 + "1" + "}" * 2000, "NaN",
        )
    ]  # fmt: skip
    steps = Steps(len(hostile), 1, lambda n: hostile[n])
    tape = steps.tape
    outcome = tape.records.pop()
    tape.records.pop()
    assert outcome.kind == Kind.OUTCOME
    for text in (NUL, "\ud800", "a\udc00b"):
        tape.log(text, uid(1000))
    tape.add(Kind.OUTCOME, reason="crash", error_type=f"E{NUL}\ud800", error_message=f"m{NUL}")
    for profile in PROFILES:
        referee = Referee(steps, profile)
        run = referee.to_the_end()
        assert run.crashed == []
        assert run.state == "crash"
        assert len(run.steps) == len(hostile)
        assert all(row.reason == "success" for row in run.steps.values())
        clips = [row.output is not None for row in run.steps.values()]
        assert clips == [True, True, True, False, False, True, True, False]
    assert events.REFUSED_LOG not in str(run.lines)


def test_lone_crashes_of_a_line_leave_the_line_out_at_last() -> None:
    steps = Steps(1, 3)
    referee = Referee(steps)
    met = 0

    def fate(shipment: Shipment) -> Fate:
        nonlocal met
        poison = "line 0.1" in str(shipment.items[0].event.body)
        poison = poison and not shipment.items[0].event.without
        met += poison
        return Fate.CRASHED_BEFORE if poison else Fate.ANSWERED

    run = referee.to_the_end(fate)
    assert met == CRASHES
    texts = [line.message for line in run.lines if line.step_id == uid(1000)]
    assert texts == [["line 0.0"], [events.REFUSED_LOG], ["line 0.2"]]

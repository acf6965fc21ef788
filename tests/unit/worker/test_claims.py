"""One claim loop: slots, pauses, and what refreshes it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from holdfast.model.json import Json
from holdfast.protocol.client import Loss
from holdfast.protocol.frames import Payload, Reply
from holdfast.protocol.messages import ClaimedRun
from holdfast.worker.agent.claims import Claimer, Turn
from holdfast.worker.connection import AnswerLost
from holdfast.worker.metrics import Metrics
from holdfast.worker.workloops import Workloop, parse_workloops
from support.waiting import until


@dataclass
class Queue:
    """worker:queue as the loop sees it; the test answers."""

    joined: bool = True
    asked: list[asyncio.Future[Reply]] = field(default_factory=list)
    payloads: list[Payload] = field(default_factory=list)

    def ask(
        self, event: str, payload: Payload, *, timeout: float
    ) -> tuple[str, asyncio.Future[Reply]]:
        assert event == "claim"
        self.payloads.append(payload)
        self.asked.append(asyncio.get_running_loop().create_future())
        return str(len(self.asked) - 1), self.asked[-1]

    def answer(self, *runs: str) -> None:
        self.asked[-1].set_result(bringing(*runs))


def bringing(*runs: str, ref: str = "1") -> Reply:
    given: list[Json] = [{"id": run, "token": "t"} for run in runs]
    return Reply(ref, "ok", {"runs": given})


@dataclass
class Scene:
    queue: Queue
    loop: Workloop
    claimer: Claimer
    taken: list[str]
    why: list[str | None]


def scene(slots: int, beside: Scene | None = None) -> Scene:
    queue = beside.queue if beside else Queue()
    taken: list[str] = []
    why: list[str | None] = [None]
    (loop,) = parse_workloops(f"fast_lane:{slots}" if beside else f"manual>*:{slots}")
    turn = beside.claimer.turn if beside else Turn()

    def take(run: ClaimedRun, _: Workloop) -> None:
        taken.append(run.id)

    claimer = Claimer(
        loop, queue, "w", (0.01, 0.02), 30, take, lambda: why[0],  # type: ignore[arg-type]
        turn, Metrics(list), chance=lambda: 0.5,
    )  # fmt: skip
    return Scene(queue, loop, claimer, taken, why)


async def turns() -> None:
    """Let everything that is ready go on."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_loop_claims_until_it_is_full_and_again_when_a_slot_is_free() -> None:
    stage = scene(2)
    running = asyncio.create_task(stage.claimer.run())
    await turns()
    assert stage.queue.payloads == [{"demand": 1, "worker_name": "w", "queues": ["manual", "*"]}]
    assert stage.loop.free == 1
    stage.queue.answer("a")
    await turns()
    stage.queue.answer("b")
    await turns()
    assert stage.taken == ["a", "b"]
    assert len(stage.queue.asked) == 2, "full: no further claim"
    stage.loop.runs.discard("a")
    for _ in range(5):
        stage.claimer.refresh()
    await turns()
    assert len(stage.queue.asked) == 3, "W29: one claim, however often it is refreshed"
    running.cancel()


async def test_w2_a_lost_answer_gives_its_slot_back() -> None:
    stage = scene(1)
    claim = asyncio.create_task(stage.claimer.claim())
    await turns()
    assert stage.loop.free == 0
    stage.queue.asked[0].set_exception(AnswerLost(Loss.CONNECTION))
    assert await claim == 0
    assert stage.loop.free == 1
    assert not stage.claimer.late(bringing("a", ref="0")), "it can not be answered any more"


async def test_a_platform_that_never_answers_a_claim_stops_no_other_slot() -> None:
    stage = scene(3)
    stage.claimer.turn.patience = 0.02
    running = asyncio.create_task(stage.claimer.run())
    await until(lambda: len(stage.queue.asked) == 3)
    assert stage.loop.free == 0, "each keeps its slot"
    stage.queue.asked[0].set_result(bringing("a"))
    stage.queue.asked[1].set_result(bringing())
    await until(lambda: len(stage.queue.asked) == 4)
    assert stage.taken == ["a"], "an overdue answer is taken like any other"
    assert stage.loop.claims + len(stage.loop.runs) == 3
    running.cancel()


async def test_each_overdue_claim_doubles_the_wait_for_the_next() -> None:
    turn = Turn(patience=60)
    loop = asyncio.get_running_loop()
    turn.overdue = {loop.create_task(asyncio.sleep(0, 0)) for _ in range(2)}
    waits: list[float | None] = []

    async def wait(
        claims: set[asyncio.Task[int]],
        timeout: float,  # noqa: ASYNC109 - as asyncio's own
    ) -> tuple[set[object], set[object]]:
        waits.append(timeout)
        return set(), set(claims)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "wait", wait)
        assert not await turn.wait(loop.create_task(asyncio.sleep(0, 0)))
    assert waits == [240]
    assert len(turn.overdue) == 3


async def test_one_claim_of_all_loops_is_under_way_at_a_time() -> None:
    manual = scene(3)
    fast = scene(1, beside=manual)
    running = [asyncio.create_task(part.claimer.run()) for part in (manual, fast)]
    await turns()
    assert len(manual.queue.asked) == 1
    for part in (manual, fast):
        part.claimer.refresh()
    await turns()
    assert len(manual.queue.asked) == 1, "the answer is awaited, however long it takes"
    manual.queue.answer("a")
    await turns()
    assert len(manual.queue.asked) == 2
    assert manual.queue.payloads[1] == {
        "demand": 1, "worker_name": "w", "queues": ["fast_lane"],
    }  # fmt: skip
    for task in running:
        task.cancel()


async def test_a_late_answer_belongs_to_the_loop_that_asked() -> None:
    manual = scene(2)
    fast = scene(1, beside=manual)
    claim = asyncio.create_task(manual.claimer.claim())
    await turns()
    manual.queue.asked[0].set_exception(AnswerLost(None))
    assert await claim == 0
    late = bringing("late", ref="0")
    assert not fast.claimer.late(late)
    assert manual.claimer.late(late)
    assert (manual.loop.runs, fast.loop.runs) == ({"late"}, set())
    assert not manual.claimer.late(late), "once"


async def test_nothing_is_claimed_while_it_is_blocked_or_not_joined() -> None:
    stage = scene(1)
    stage.why[0] = "the disk is nearly full"
    running = asyncio.create_task(stage.claimer.run())
    await asyncio.sleep(0.05)
    assert stage.queue.asked == []
    stage.why[0], stage.queue.joined = None, False
    stage.claimer.refresh()
    await asyncio.sleep(0.05)
    assert stage.queue.asked == []
    assert await stage.claimer.claim() == 0
    stage.queue.joined = True
    stage.claimer.refresh()
    await turns()
    assert len(stage.queue.asked) == 1
    running.cancel()


def test_w7_an_answer_with_more_runs_than_were_asked_for_is_taken_whole() -> None:
    stage = scene(1)
    runs: list[Json] = [{"id": name, "token": "t"} for name in "abc"]
    assert stage.claimer.accept(Reply("1", "ok", {"runs": runs})) == 3
    assert stage.taken == ["a", "b", "c"]
    assert stage.claimer.accept(Reply("1", "error", "no")) == 0


async def test_a_claim_that_goes_wrong_is_not_the_last_one() -> None:
    stage = scene(2)

    def broken(_run: ClaimedRun, _loop: Workloop) -> None:
        raise OSError(5, "Input/output error")

    stage.claimer.take = broken
    running = asyncio.create_task(stage.claimer.run())
    await turns()
    stage.queue.answer("r1")
    while len(stage.queue.asked) < 2:
        assert not running.done()
        await asyncio.sleep(0.005)
    running.cancel()

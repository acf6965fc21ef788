"""An hour of claims whose answers are late: what was given out stays within the slots.

The hour passes on a clock of the test: the loop jumps to its next deadline.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from holdfast.model.json import Json
from holdfast.protocol.frames import Payload, Reply
from holdfast.protocol.messages import ClaimedRun
from holdfast.worker.agent.claims import Claimer, Turn
from holdfast.worker.metrics import Metrics
from holdfast.worker.workloops import Workloop, parse_workloops

HOUR = 3600.0


class Jumping(asyncio.SelectorEventLoop):
    """Time is that of the next deadline; nothing is waited for."""

    now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        scheduled: list[Any] = self._scheduled  # type: ignore[attr-defined]
        times = [timer.when() for timer in scheduled if not timer.cancelled()]
        if times and not self._ready:  # type: ignore[attr-defined]
            self.now = max(self.now, min(times))
        super()._run_once()  # type: ignore[misc]


@dataclass
class Platform:
    """worker:queue: each claim is answered with a run, some at once and some much later."""

    chance: random.Random
    loops: list[Workloop]
    joined: bool = True
    given: dict[str, set[str]] = field(default_factory=dict)  # runs that have not ended, by queues
    asked: int = 0
    under_way: int = 0
    most: dict[str, int] = field(default_factory=dict)
    most_under_way: int = 0

    def ask(
        self, _event: str, payload: Payload, *, timeout: float
    ) -> tuple[str, asyncio.Future[Reply]]:
        assert timeout == HOUR
        assert isinstance(payload, dict)
        queues = payload["queues"]
        assert isinstance(queues, list)
        key, loop = ">".join(map(str, queues)), asyncio.get_running_loop()
        self.asked += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        run, answer = f"run-{self.asked}", loop.create_future()
        # The platform gives it out at once: that is when it counts as the worker's.
        held = self.given.setdefault(key, set())
        held.add(run)
        self.most[key] = max(self.most.get(key, 0), len(held))
        given: list[Json] = [{"id": run, "token": "t"}]

        def bring() -> None:
            self.under_way -= 1
            answer.set_result(Reply("1", "ok", {"runs": given}))

        late = self.chance.choice([0.01, 0.01, 5.0, 45.0, 200.0])
        loop.call_later(late * self.chance.random(), bring)
        return run, answer


@pytest.mark.parametrize("seed", range(5))
def test_what_is_given_out_stays_within_the_slots_for_an_hour(seed: int) -> None:
    """Whatever the delays, each loop holds at most its slots, and all loops go on."""
    chance = random.Random(seed)
    loops = parse_workloops("fast_lane:1 manual>*:4")
    platform = Platform(chance, loops)
    claimers: list[Claimer] = []

    def take(run: ClaimedRun, loop: Workloop) -> None:
        seconds = chance.choice([1.0, 20.0, 120.0]) * chance.random()
        asyncio.get_running_loop().call_later(seconds, ended(run.id, loop))

    def ended(run: str, loop: Workloop) -> Callable[[], None]:
        def end() -> None:
            platform.given[loop.key].discard(run)
            loop.runs.discard(run)
            for claimer in claimers:
                claimer.refresh()

        return end

    async def hour() -> None:
        turn = Turn()
        claimers.extend(
            Claimer(loop, platform, None, (1.0, 10.0), HOUR, take, lambda: None,  # type: ignore[arg-type]
                    turn, Metrics(list), chance=chance.random)
            for loop in loops
        )  # fmt: skip
        tasks = [asyncio.create_task(claimer.run()) for claimer in claimers]
        await asyncio.sleep(HOUR)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *turn.overdue, return_exceptions=True)

    with asyncio.Runner(loop_factory=Jumping) as runner:
        runner.run(hour())
    assert platform.most == {"fast_lane": 1, "manual>*": 4}
    assert platform.asked > 60, "the hour was used"
    assert platform.most_under_way <= 3, "one, and one more for each that is overdue"

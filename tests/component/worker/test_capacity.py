"""What the platform has given out and does not know the end of stays within the slots."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from holdfast.testing.platform import Do, TwinPlatform, one_job_plan
from holdfast.testing.twin_run import TwinRun
from support.worker import QUICK, Worker


async def highest(runs: Iterable[TwinRun], done: Callable[[], bool]) -> int:
    """The most runs that were claimed and not complete at one time, until all is done."""
    most = 0
    while not done():
        most = max(most, sum(run.claims > 0 and not run.final for run in runs))
        await asyncio.sleep(0.002)
    return most


async def test_late_answers_and_slow_deliveries_never_exceed_the_slots(tmp_path: Path) -> None:
    options = {"WORKER_CAPACITY": 2, "WORKER_MESSAGE_TIMEOUT_SECONDS": 0.5}
    async with TwinPlatform() as platform, Worker(platform, tmp_path, **options):
        platform.order("claim", Do.DELAY, seconds=1, times=3)
        platform.order("run:complete", Do.DELAY, seconds=0.3, times=4)
        runs = [platform.enqueue(one_job_plan(QUICK), input={}) for _ in range(8)]
        watching = asyncio.create_task(
            highest(runs, lambda: all(run.final for run in runs))
        )  # fmt: skip
        await platform.until(lambda: all(run.final for run in runs))
        assert await watching == 2
        assert {run.claims for run in runs} == {1}
        assert {run.state for run in runs} == {"success"}


async def test_runs_go_back_to_the_loop_that_claimed_them_after_a_crash(tmp_path: Path) -> None:
    options = {"WORKER_WORKLOOPS": "fast_lane:1 manual:2"}
    endless = "export default [() => new Promise((done) => setTimeout(done, 20_000))];"
    async with TwinPlatform() as platform, Worker(platform, tmp_path, **options) as worker:
        busy = [platform.enqueue(one_job_plan(endless), input={}) for _ in range(3)]
        await platform.until(lambda: all(run.state == "started" for run in busy))
        before = len(platform.claims)
        worker.kill_agent()
        await worker.until(lambda: worker.text().count("run.attached") == 3)
        with suppress(TimeoutError):
            await platform.until(lambda: len(platform.claims) > before, 1)
        assert len(platform.claims) == before, "every loop is full"

"""A 60-second network loss during 20 runs: their own duration, and delivery after the return."""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from benchmarks.bars import against
from holdfast.testing.platform import TwinPlatform, one_job_plan
from holdfast.testing.twin_run import TwinRun
from support.worker import Worker, slow

RUNS = 20
OUTAGE_SECONDS = 60
RUN_SECONDS = 20


def seconds(run: TwinRun) -> float:
    """From the run's start to its end, by its own clock."""
    times = dict(run.events)
    ended, started = times["run:complete"]["timestamp"], times["run:start"]["timestamp"]
    return (int(ended) - int(started)) / 1e6


async def batch(platform: TwinPlatform, *, outage: bool) -> tuple[float, float]:
    """Median duration of the runs, and the seconds from the return to the last outcome."""
    runs = [platform.enqueue(one_job_plan(slow(RUN_SECONDS)), input={}) for _ in range(RUNS)]
    platform.push("worker:queue", "work-available", {})
    await platform.until(lambda: all(run.state == "started" for run in runs), 120)
    if outage:
        await platform.stop()
        await asyncio.sleep(OUTAGE_SECONDS)
        await platform.start()
    back = time.monotonic()
    await platform.until(lambda: all(run.final for run in runs), 120)
    assert {run.state for run in runs} == {"success"}
    return statistics.median(seconds(run) for run in runs), time.monotonic() - back


async def measure() -> None:
    """Once undisturbed, once with the outage."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as name:
        options = {"WORKER_CAPACITY": RUNS, "WORKER_MAX_RUN_MEMORY_MB": 100}
        async with TwinPlatform() as platform, Worker(platform, Path(name), **options) as worker:
            await worker.ready()
            calm, _ = await batch(platform, outage=False)
            stormy, delivered = await batch(platform, outage=True)
            change = (stormy / calm - 1) * 100
            said = f"outage of {OUTAGE_SECONDS} s, {RUNS} runs: own duration {calm:.2f} s -> "
            against(f"{said}{stormy:.2f} s, change ({change:+.1f})", abs(change), 5, unit="%")
            against("everything delivered after the return", delivered, 5, unit="s")
            await worker.end()


def main() -> None:
    asyncio.run(measure())


if __name__ == "__main__":
    main()

"""A worker that is gone for good: how long the platform takes to notice, at its defaults."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from benchmarks.bars import against
from holdfast.platform.settings import Settings
from support.adaptors import installed
from support.one_job import TRIGGER, Address, project
from support.platform import Served
from support.waiting import until
from support.worker import Worker, descendants, slow

#: A dead worker must be noticed within this.
NOTICED_SECONDS = 30
LONG_SECONDS = 3600


async def started(served: Served) -> str:
    """A run that is executing; its id."""
    run_id = served.post({}, TRIGGER)
    await until(lambda: "tick 0" in served.logs(run_id), seconds=60)
    return run_id


async def noticed(served: Served) -> float:
    """Seconds until the platform knows of no worker."""
    began = time.monotonic()
    await until(lambda: not list(served.platform.workers), seconds=120)
    return time.monotonic() - began


async def killed(served: Served, folder: Path, options: dict[str, object]) -> None:
    """SIGKILL of everything: the run is given up when nothing has come for the silence limit."""
    async with Worker(Address.of(served), folder, **options) as worker:
        run_id = await started(served)
        began = time.monotonic()
        worker.kill_everything()
        seconds = await noticed(served)
        against("killed worker noticed", seconds, NOTICED_SECONDS, unit="s")
        await until(lambda: served.run(run_id)["state"] == "lost", seconds=LONG_SECONDS)
        text = "its started run given up (it might have come back)"
        settings = served.settings
        limit = settings.silence_seconds + 2 * settings.janitor_seconds
        against(text, time.monotonic() - began, limit, unit="s")


async def frozen(served: Served, folder: Path, options: dict[str, object]) -> None:
    """A worker that neither works nor closes its connection, as behind a dead network."""
    async with Worker(Address.of(served), folder, **options) as worker:
        await started(served)
        family = [worker.pid, *descendants(worker.pid)]
        for pid in family:
            os.kill(pid, signal.SIGSTOP)
        try:
            against("frozen worker noticed", await noticed(served), NOTICED_SECONDS, unit="s")
        finally:
            for pid in family:
                os.kill(pid, signal.SIGCONT)


def frozen_behind_the_claim(once: Path) -> Path:
    """A fault plan: the agent stops when its first claim is on disk."""
    once.touch()
    fault = {"action": "stop", "once": str(once)}
    plan = once.with_name("faults.json")
    plan.write_text(json.dumps({"points": {"agent.journaled": fault}}))
    return plan


async def unjoined(served: Served, folder: Path, options: dict[str, object]) -> None:
    """A worker that dies between its claim and the join: the run is free again."""
    once = folder.with_name("once")
    more = {**options, "HOLDFAST_FAULTS": frozen_behind_the_claim(once)}
    async with Worker(Address.of(served), folder, **more) as worker:
        await worker.ready()
        run_id = served.post({}, TRIGGER)
        await until(lambda: not once.exists(), seconds=60)
        began = time.monotonic()
        worker.kill_everything()
        await until(lambda: served.run(run_id)["state"] == "available", seconds=120)
        seconds = time.monotonic() - began
        against("claim of a killed worker given back", seconds, NOTICED_SECONDS, unit="s")


def main() -> None:
    """All three, each on a platform of its own."""
    options: dict[str, object] = {"WORKER_REPO_DIR": installed().root}
    every = Settings(data=Path()).janitor_seconds
    for story in (unjoined, frozen, killed):
        with (
            tempfile.TemporaryDirectory(prefix="holdfast-bench-") as name,
            Served(Path(name) / "platform", janitor_seconds=every) as served,
        ):
            served.deploy(project(slow(400)))
            asyncio.run(story(served, Path(name) / story.__name__, options))


if __name__ == "__main__":
    main()

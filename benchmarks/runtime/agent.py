"""What the agent needs for a state that is far larger than it may send: a real worker, a twin."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from holdfast.testing.platform import TwinPlatform, one_job_plan
from support.worker import Worker

GROW = "export default [() => ({ data: Array.from({ length: %d }, () => 'x'.repeat(1000)) })];"


def high_water_mb(pid: int) -> float:
    """The most memory a process ever held, MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:", 1)[1].split(None, 1)[0]) * 1024 / 1e6


async def agent_mb(state_mb: int) -> float:
    """How much more the agent held after a run with such a state than after a small one, MB."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as name:
        async with TwinPlatform() as platform, Worker(platform, Path(name)) as worker:
            await worker.ready()
            (agent,) = worker.agents()
            held = []
            for rows in (10, state_mb * 1000):
                run = platform.enqueue(one_job_plan(GROW % rows), input={})
                platform.push("worker:queue", "work-available", {})
                await platform.until(partial(getattr, run, "final"), 60)
                assert run.state == "success", run.events[-1]
                held.append(high_water_mb(agent))
            await worker.end()
    return held[1] - held[0]

"""Delivery to a platform without extensions: log lines, delayed answers, a large output."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from benchmarks.bars import against, plain
from holdfast.testing.platform import TwinPlatform, TwinRun, one_job_plan
from support.worker import QUICK, Worker

LINES = 10_000
STEPS = 10
#: Records of some size, 9 MB of JSON in all.
LARGE = (
    "export default [() => ({ data: Array.from({ length: 60_000 }, (_, id) =>"
    " ({ id, name: `record ${id} `.repeat(8), ok: id % 2 === 0 })) })];"
)


def times(run: TwinRun) -> float:
    """Seconds from the run's start to the arrival of its outcome."""
    first = next(body for name, body in run.events if name == "run:start")
    assert run.outcome is not None
    return (time.time_ns() // 1000 - int(first["timestamp"])) / 1e6


def processor_seconds(worker: Worker) -> float:
    """What the agent has used so far."""
    (agent,) = worker.agents()
    fields = Path(f"/proc/{agent}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def lines(platform: TwinPlatform) -> float:
    """Seconds for a run that writes many lines."""
    body = f"export default [() => {{ for (let i = 0; i < {LINES}; i++) console.log('line', i);"
    run = platform.enqueue(one_job_plan(body + " return {}; }];"), input={})
    platform.push("worker:queue", "work-available", {})
    await platform.until(lambda: run.final, 120)
    taken = times(run)
    assert len(run.lines) >= LINES, run.state
    return taken


async def steps(platform: TwinPlatform, seconds: float) -> float:
    """Seconds for a run of several steps where each answer takes its time."""
    names = [f"s{n}" for n in range(STEPS)]
    edges: list[Any] = [{"source_trigger_id": "t", "target_job_id": "s0", "condition": "always"}]
    edges += [
        {"source_job_id": one, "target_job_id": two, "condition": "always"}
        for one, two in pairwise(names)
    ]
    plan: Any = {
        "triggers": [{"id": "t"}],
        "jobs": [{"id": name, "name": name, "body": QUICK} for name in names],
        "edges": edges, "starting_node_id": "t", "options": {"run_timeout_ms": 60_000},
    }  # fmt: skip
    platform.answer_seconds = seconds
    run = platform.enqueue(plan, input={})
    platform.push("worker:queue", "work-available", {})
    await platform.until(lambda: run.final, 120)
    platform.answer_seconds = 0.0
    assert len(run.steps) == STEPS
    return times(run)


#: A process of its own, for the platform here is busy with the 9 MB itself.
POLL = """
import http.client, sys, time
longest, end = 0.0, time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=30)
    connection.request("GET", "/livez")
    connection.getresponse().read()
    longest = max(longest, time.monotonic() - began)
    time.sleep(0.002)
print(longest)
"""


async def beside(platform: TwinPlatform, url: str) -> float:
    """The longest time that the agent took to answer while it delivered 9 MB, in seconds."""
    port = url.rpartition(":")[2]
    poller = await asyncio.create_subprocess_exec(
        sys.executable, "-c", POLL, port, "6", stdout=asyncio.subprocess.PIPE
    )
    large = platform.enqueue(one_job_plan(LARGE), input={})
    platform.push("worker:queue", "work-available", {})
    await platform.until(lambda: large.final, 60)
    assert large.state == "success"
    said, _ = await poller.communicate()
    return float(said)


async def measure() -> None:
    """All three against one worker."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as name:
        async with (
            TwinPlatform() as platform,
            Worker(platform, Path(name), WORKER_LOG_LEVEL="info") as worker,
        ):
            url = await worker.ready()
            await lines(platform)
            before = processor_seconds(worker)
            taken = await lines(platform)
            spent = (processor_seconds(worker) - before) / LINES * 1e6
            against(f"{LINES} lines, plain Lightning", taken, 0.8, unit="s")
            plain("processor time of the agent for a line", spent, "µs")
            for seconds, bar in ((0.01, 0.4), (0.05, 1.0)):
                said = f"{STEPS} steps, answers after {seconds * 1000:.0f} ms"
                against(said, await steps(platform, seconds), bar, unit="s")
            stopped = await beside(platform, url)
            against("longest stop of the agent, 9 MB output", stopped * 1000, 50, unit="ms")
            await worker.end()


def main() -> None:
    asyncio.run(measure())


if __name__ == "__main__":
    main()

"""The JavaScript runtime through the whole engine: latency, log lines, large states, memory.

Bars: `docs/figures.md`. Start it with `python -m benchmarks runtime`.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.bars import against, plain
from benchmarks.yardstick import pace
from holdfast.adaptors import Store
from holdfast.engine.client import Engine, RunRequest, prepare_run, start_supervisor
from holdfast.engine.config import node_binary
from holdfast.journal import JournalReader
from holdfast.model.json import Json, JsonObject
from holdfast.model.limits import Limits
from holdfast.model.record import Kind

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from benchmarks.runtime.agent import agent_mb  # noqa: E402 it needs those helpers too
from support.adaptors import COMMON, OVERRIDES  # noqa: E402 the tests' helpers are not installed

T = TypeVar("T")
RUNS = 25
WARM_MS, WARM_P95_MS, STEP_MS = 25.0, 60.0, 3.0
LINES, LINES_PER_SECOND = 100_000, 50_000
STATE_MB, MB_PER_SECOND = 50, 100
ALONE_MB, TOGETHER_MB, TOGETHER = 90.0, 45.0, 10


@dataclass
class Bench:
    """An engine with standby processes, and the one adaptor that everybody uses."""

    engine: Engine
    journals: Path
    adaptors: dict[str, Any]

    async def run(
        self, codes: list[str], state: str = "{}", memory_mb: int = 500
    ) -> tuple[float, Path]:
        """Milliseconds from plan ready to outcome, and the run's folder."""
        steps: list[Json] = [
            {"id": f"s{n}", "expression": code, "adaptors": [COMMON],
             "next": {f"s{n + 1}": True} if n + 1 < len(codes) else {}}
            for n, code in enumerate(codes)
        ]  # fmt: skip
        run_id = str(uuid.uuid4())
        folder = prepare_run(self.journals, run_id, {"id": run_id, "workflow": {"steps": steps}})
        folder.input.write_text(state)
        options: JsonObject = {
            "run_id": run_id, "adaptors": self.adaptors, "payload_limit_mb": 500,
            "state_limit_mb": 500,
        }  # fmt: skip
        limits = Limits(memory_mb=memory_mb, journal_mb=4096)
        request = RunRequest(folder.path, run_id, limits, {}, options)
        started = time.perf_counter()
        handle = await self.engine.launch(request)
        outcome = await handle.outcome()
        passed = (time.perf_counter() - started) * 1000
        assert outcome.reason == "success", outcome
        return passed, folder.path


def steps_of(folder: Path) -> list[dict[str, Any]]:
    with JournalReader(folder / "journal") as reader:
        return [item.json() for item in reader.read() if item.kind == Kind.STEP_COMPLETE]


async def latency(bench: Bench) -> None:
    one, ten = [], []
    for _ in range(RUNS):
        await asyncio.sleep(0.6)  # a standby process is made after the run before
        one.append((await bench.run(["fn(state => ({ ...state, done: 1 }))"]))[0])
    for _ in range(RUNS // 3):
        await asyncio.sleep(0.6)
        ten.append((await bench.run(["fn(state => ({ ...state, done: 1 }))"] * 11))[0])
    slower = pace()
    median, p95 = statistics.median(one), statistics.quantiles(one, n=20)[-1]
    each = (statistics.median(ten) - median) / 10
    against("one step, warm, median", median, WARM_MS, unit="ms", pace=slower)
    against("one step, warm, p95", p95, WARM_P95_MS, unit="ms", pace=slower)
    against("each further step", each, STEP_MS, unit="ms", pace=slower)


async def lines(bench: Bench) -> None:
    code = f"for (let i = 0; i < {LINES}; i++) console.log('line', i);"
    passed, folder = await bench.run([code])
    (step,) = steps_of(folder)
    rate = LINES / step["duration"] * 1000
    against(
        "log lines into the journal",
        rate,
        LINES_PER_SECOND,
        unit="lines/s",
        least=True,
        pace=pace(),
    )
    plain("  the whole run", passed, "ms")


def large_state() -> str:
    rows: list[str] = []
    size = 0
    while size < STATE_MB * 1_000_000:
        rows.append(json.dumps({"id": len(rows), "name": "patient", "notes": "x" * 400}))
        size += len(rows[-1]) + 1
    return '{"data":[' + ",".join(rows) + "]}"


_WEIGH = """
const text = require('node:fs').readFileSync(0, 'latin1');
gc(); const before = process.memoryUsage().heapUsed;
globalThis.copy = JSON.parse(text);
gc(); console.log((process.memoryUsage().heapUsed - before) / 1e6);
"""


def copy_mb(state: str) -> float:
    """What one copy of the state takes in the engine's heap, MB."""
    command = [str(node_binary()), "--expose-gc", "--max-old-space-size=4000", "-e", _WEIGH]
    return float(
        subprocess.run(command, input=state.encode(), capture_output=True, check=True).stdout
    )


async def large(bench: Bench) -> None:
    """With ample memory for speed, with little for how much is needed: V8 collects late."""
    state, steps = large_state(), ["fn(state => state)"] * 3
    passed, folder = await bench.run(steps, state, memory_mb=2000)
    size, copy = len(state) / 1e6, copy_mb(state)
    seconds = sum(step["duration"] for step in steps_of(folder)) / 1000
    rate = size * len(steps) / seconds
    text = f"state of {size:.0f} MB through 3 steps"
    against(text, rate, MB_PER_SECOND, unit="MB/s", least=True, pace=pace())
    plain("  the whole run", passed, "ms")
    idle, (_, without) = await shim_peak_mb(bench, bench.run(steps))
    busy, (_, folder) = await shim_peak_mb(bench, bench.run(steps, state, memory_mb=300))
    heap = peak_heap_mb(folder) - peak_heap_mb(without)
    against(f"  heap it needs ({copy:.1f} a copy)", heap, copy * 3, unit="MB")
    against("  what the shim needs for it (no copy)", busy - idle, size / 2, unit="MB")
    agents = await agent_mb(STATE_MB)
    against("  what the agent needs for it (no copy)", agents, size / 2, unit="MB")


async def shim_peak_mb(bench: Bench, run: Coroutine[Any, Any, T]) -> tuple[float, T]:
    """The most memory that the run's shim ever held, MB, and what the run gives."""
    before, peak = set(bench.journals.iterdir()), 0.0
    task = asyncio.ensure_future(run)
    while not task.done():
        await asyncio.sleep(0.01)
        for folder in set(bench.journals.iterdir()) - before:
            peak = max(peak, high_water_mb(folder))
    assert peak > 0, "the shim was never seen"
    return peak, await task


def high_water_mb(folder: Path) -> float:
    """Of a run's shim, as the kernel tells; 0 before it has one and after."""
    for body in launched(folder):
        with suppress(OSError):
            rows = Path(f"/proc/{body['shim']}/status").read_text().splitlines()
            return (
                sum(int(row.split()[1]) for row in rows if row.startswith("VmHWM:")) * 1024 / 1e6
            )
    return 0.0


def launched(folder: Path) -> list[dict[str, Any]]:
    """Who a run's processes are, by its journal's word."""
    with suppress(OSError), JournalReader(folder / "journal") as reader:
        return [item.json() for item in reader.read() if item.kind == Kind.LAUNCHED]
    return []


def peak_heap_mb(folder: Path) -> float:
    return float(max(step["measures"]["peak_heap_bytes"] for step in steps_of(folder))) / 1e6


def proportional_mb(folder: Path) -> float:
    """Proportional memory of a run's processes, MiB, by its journal's word of who they are."""
    total = 0
    for pid in launched(folder)[0]["pids"].values():
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue  # the compiler has done its work
        total += sum(int(row.split()[1]) for row in text.splitlines() if row.startswith("Pss:"))
    return total / 1024


def waits(folder: Path) -> bool:
    """Whether the run's step has said that it waits."""
    with JournalReader(folder / "journal") as reader:
        return any(item.kind == Kind.LOG and b"waiting" in item.body for item in reader.read())


async def memory(bench: Bench, together: int) -> float:
    """Proportional memory of each of some runs that wait at the same time, MiB."""
    code = (
        "fn(state => { console.log('waiting');"
        " return new Promise(done => setTimeout(() => done(state), 8000)); })"
    )
    before = set(bench.journals.iterdir())
    runs = [asyncio.ensure_future(bench.run([code])) for _ in range(together)]
    while True:
        await asyncio.sleep(0.2)
        folders = set(bench.journals.iterdir()) - before
        if len(folders) == together and all(map(waits, folders)):
            break
        assert not any(run.done() for run in runs), "the machine is too busy to measure this"
    figures = [proportional_mb(folder) for folder in folders]
    await asyncio.gather(*runs)
    return statistics.mean(figures)


async def measure() -> None:
    store = Store(ROOT / ".cache" / "adaptors", overrides=OVERRIDES)
    adaptors = {COMMON: (await store.ensure([COMMON]))[COMMON].to_option()}
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as data:
        journals = Path(data) / "journals"
        journals.mkdir()
        async with start_supervisor(
            Path(data), configure=lambda config: replace(config, store=store.root, standby=2)
        ) as engine:
            bench = Bench(engine, journals, adaptors)
            await bench.run(["fn(state => state)"])  # tells what standby processes load
            await latency(bench)
            await lines(bench)
            await large(bench)
            alone = await memory(bench, 1)
            against("proportional memory of a run", alone, ALONE_MB, unit="MB")
            each = await memory(bench, TOGETHER)
            against(f"  each of {TOGETHER} at once", each, TOGETHER_MB, unit="MB")


def main() -> None:
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    asyncio.run(measure())


__all__ = ["main"]

"""The JavaScript runtime through the whole engine: latency, log lines, large states, memory.

Bars: issue 4. `python -m benchmarks.runtime` or `python -m benchmarks runtime`.
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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from fixtures.adaptors import COMMON, OVERRIDES  # noqa: E402 the tests' helpers are not installed
from holdfast.adaptors import Store  # noqa: E402
from holdfast.engine.client import (  # noqa: E402
    Engine,
    RunRequest,
    prepare_run,
    start_supervisor,
)
from holdfast.engine.config import node_binary  # noqa: E402
from holdfast.journal import JournalReader  # noqa: E402
from holdfast.model.limits import Limits  # noqa: E402
from holdfast.model.record import Kind  # noqa: E402

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
        steps = [
            {"id": f"s{n}", "expression": code, "adaptors": [COMMON], "next": {f"s{n + 1}": True}}
            for n, code in enumerate(codes)
        ]
        del steps[-1]["next"]
        run_id = str(uuid.uuid4())
        folder = prepare_run(self.journals, run_id, {"id": run_id, "workflow": {"steps": steps}})
        folder.input.write_text(state)
        options = {"run_id": run_id, "adaptors": self.adaptors, "payload_limit_mb": 500}
        limits = Limits(memory_mb=memory_mb, journal_mb=4096)
        request = RunRequest(folder.path, run_id, limits, {}, {**options, "state_limit_mb": 500})
        started = time.perf_counter()
        handle = await self.engine.launch(request)
        outcome = await handle.outcome()
        passed = (time.perf_counter() - started) * 1000
        assert outcome.reason == "success", outcome
        return passed, folder.path


def steps_of(folder: Path) -> list[dict[str, Any]]:
    with JournalReader(folder / "journal") as reader:
        return [item.json() for item in reader.read() if item.kind == Kind.STEP_COMPLETE]


def verdict(name: str, figure: str, *, holds: bool) -> None:
    print(f"{name:<58} {figure:>28}  {'ok' if holds else 'MISSED'}")


async def latency(bench: Bench) -> None:
    one, ten = [], []
    for _ in range(RUNS):
        await asyncio.sleep(0.6)  # a standby process is made after the run before
        one.append((await bench.run(["fn(state => ({ ...state, done: 1 }))"]))[0])
    for _ in range(RUNS // 3):
        await asyncio.sleep(0.6)
        ten.append((await bench.run(["fn(state => ({ ...state, done: 1 }))"] * 11))[0])
    median, p95 = statistics.median(one), statistics.quantiles(one, n=20)[-1]
    each = (statistics.median(ten) - median) / 10
    verdict("one step, warm: median ms", f"{median:.1f}", holds=median <= WARM_MS)
    verdict("one step, warm: p95 ms", f"{p95:.1f}", holds=p95 <= WARM_P95_MS)
    verdict("each further step, ms", f"{each:.2f}", holds=each <= STEP_MS)


async def lines(bench: Bench) -> None:
    code = f"for (let i = 0; i < {LINES}; i++) console.log('line', i);"
    passed, folder = await bench.run([code])
    (step,) = steps_of(folder)
    rate = LINES / step["duration"] * 1000
    verdict(
        "log lines per second into the journal", f"{rate:,.0f}", holds=rate >= LINES_PER_SECOND
    )
    verdict("  the whole run, ms", f"{passed:,.0f}", holds=True)


def large_state() -> str:
    rows, size = [], 0
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
    command = [node_binary(), "--expose-gc", "--max-old-space-size=4000", "-e", _WEIGH]
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
    verdict(f"state of {size:.0f} MB through 3 steps, MB/s", f"{rate:.0f}",
            holds=rate >= MB_PER_SECOND)  # fmt: skip
    verdict("  the whole run, ms", f"{passed:,.0f}", holds=True)
    _, without = await bench.run(steps)
    _, folder = await bench.run(steps, state, memory_mb=300)
    peak = peak_heap_mb(folder) - peak_heap_mb(without)
    verdict(f"  heap it needs, MB (a copy takes {copy:.1f}, 3 allowed)", f"{peak:.1f}",
            holds=peak <= copy * 3)  # fmt: skip


def peak_heap_mb(folder: Path) -> float:
    return max(step["measures"]["peak_heap_bytes"] for step in steps_of(folder)) / 1e6


def proportional_mb(folder: Path) -> float:
    """Proportional memory of a run's processes, MiB, by its journal's word of who they are."""
    with JournalReader(folder / "journal") as reader:
        launched = next(item.json() for item in reader.read() if item.kind == Kind.LAUNCHED)
    total = 0
    for pid in launched["pids"].values():
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
            verdict("proportional memory of a run, MB", f"{alone:.0f}", holds=alone <= ALONE_MB)
            each = await memory(bench, TOGETHER)
            verdict(f"  each of {TOGETHER} at once, MB", f"{each:.0f}", holds=each <= TOGETHER_MB)


def main() -> None:
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    asyncio.run(measure())


__all__ = ["main"]

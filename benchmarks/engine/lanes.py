"""What a trivial run costs in each lane: time, runs a second, processor time, memory."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

from benchmarks.bars import against, plain
from benchmarks.engine.bench import TRIVIAL, Bench, With
from benchmarks.engine.figures import engine_of
from benchmarks.yardstick import pace
from holdfast.model.limits import MEBIBYTE, Limits
from holdfast.sandbox import processes

_TICKS = 100
_ASLEEP = "export default [async s => { await new Promise(done => setTimeout(done, 6e4)); }]"
_SLEEPERS = 5


async def lanes(runs: int) -> None:
    """One after the other, and five at a time; the lane that a worker takes comes last."""
    for lane in ("standby", "auto"):
        async with With(standby=2, lane=lane) as bench:
            for _ in range(4):
                await bench.run(TRIVIAL)
            await asyncio.sleep(2)  # until a zygote serves
            if lane == "auto":
                await _memory(bench)  # now: later there are idle shims enough for five runs
            await _measure(bench, lane, runs, at_a_time=1)
            await _measure(bench, lane, runs, at_a_time=5)


async def _measure(bench: Bench, lane: str, runs: int, *, at_a_time: int) -> None:
    gate, times = asyncio.Semaphore(at_a_time), list[float]()

    async def one() -> None:
        async with gate:
            taken, outcome, _ = await bench.run(TRIVIAL)
            assert outcome.error_type is None, outcome
            times.append(taken)

    spent, begun = _spent_ms(bench.supervisor), time.perf_counter()
    await asyncio.gather(*(one() for _ in range(runs)))
    rate = runs / (time.perf_counter() - begun)
    await asyncio.sleep(1)
    cost = (_spent_ms(bench.supervisor) - spent) / runs
    name = f"{lane}, {at_a_time} at a time"
    plain(f"a trivial run, {name}: median", statistics.median(times), "ms")
    plain(f"processor time of a run, {name}", cost, "ms")
    text = f"runs a second, {name}"
    if lane == "auto":
        against(text, rate, 20 if at_a_time == 1 else 50, unit="/s", least=True, pace=pace())
    else:
        plain(text, rate, "/s")


async def _memory(bench: Bench) -> None:
    """Private memory that one more run adds: its shim and its engine."""
    before = _private(processes.family([bench.supervisor]))
    limits = Limits(timeout_seconds=120)
    handles = [await bench.launch(_ASLEEP, limits) for _ in range(_SLEEPERS)]
    await asyncio.sleep(3)
    family = processes.family([bench.supervisor])
    assert all(engine_of(handle.folder) in family for handle in handles)
    added = (_private(family) - before) / _SLEEPERS / MEBIBYTE
    against("private memory that one more run adds", added, 8, unit="MB")
    for handle in handles:
        await handle.cancel()
        await handle.outcome()


def _spent_ms(supervisor: int) -> float:
    """Processor time of a family, of those that are gone too."""
    total = 0
    for pid in processes.family([supervisor]):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15]))
    return total * 1000 / _TICKS


def _private(pids: list[int]) -> int:
    total = 0
    for pid in pids:
        try:
            rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(row.split()[1]) for row in rows if row.startswith("Private_")) * 1024
    return total

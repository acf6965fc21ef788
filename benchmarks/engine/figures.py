"""What a run costs, and how hard its limits are."""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.bars import against, plain
from benchmarks.engine.bench import NO_WALLS, TRIVIAL, Bench, With
from benchmarks.yardstick import pace
from holdfast.journal import JournalReader, RunFolder
from holdfast.model.limits import MEBIBYTE, Limits
from holdfast.model.record import Kind
from holdfast.sandbox import processes

FILL = "export default [state => { const k = []; for (;;) k.push(Buffer.alloc(1 << 20, 1)); }]"
#: Full of memory nearly to its limit, and touching all of it for ever.
THRASH = (
    "export default [state => { const k = [];"
    " for (let i = 0; i < 90; i++) k.push(Buffer.alloc(1 << 20, 1));"
    " for (;;) { const o = []; for (let i = 0; i < 1e5; i++) o.push({ i });"
    " for (const b of k) b.fill(o.length); } }]"
)
#: Long enough for a standby process to be made between two runs.
_PAUSE_SECONDS = 0.4
#: As many as there is patience for: what the machine does meanwhile comes and goes in seconds.
_TURNS = 16
_ADDED = {"cold": 30, "standby": 5}


async def latency(runs: int) -> None:
    """What the walls add: runs with and without them in turn, as both see the same machine."""
    for start, standby in (("cold", 0), ("standby", 1)):
        async with (
            With(standby=standby) as walled,
            With(standby=standby, without=NO_WALLS) as bare,
        ):
            await asyncio.sleep(1.0)
            times: dict[str, list[float]] = {"all walls": [], "no walls": []}
            for _ in range(runs):
                for name, bench in (("all walls", walled), ("no walls", bare)):
                    times[name].append((await bench.run(TRIVIAL))[0])
                    await asyncio.sleep(_PAUSE_SECONDS * standby)
        for name, taken in times.items():
            median, fastest = statistics.median(taken), min(taken)
            plain(f"latency of a trivial run, {start}, {name}: median", median, "ms")
            plain(f"latency of a trivial run, {start}, {name}: fastest", fastest, "ms")
        cost = statistics.median(times["all walls"]) - statistics.median(times["no walls"])
        against(f"isolation adds to a {start} start", cost, _ADDED[start], unit="ms")


async def throughput(runs: int) -> None:
    """Trivial runs, four at a time, each in a fresh process."""
    for standby in (0, 4):
        async with With(standby=standby) as bench:
            gate = asyncio.Semaphore(4)

            async def one(bench: Bench = bench, gate: asyncio.Semaphore = gate) -> None:
                async with gate:
                    _, outcome, _ = await bench.run(TRIVIAL)
                    assert outcome.error_type is None, outcome

            begun = time.perf_counter()
            await asyncio.gather(*(one() for _ in range(runs)))
            rate = runs / (time.perf_counter() - begun)
            await asyncio.sleep(2)
            spent = _processor_seconds(bench.supervisor) / runs * 1000
        plain(f"processor time of a run, {standby} standby", spent, "ms")
        text = f"throughput, four at a time, {standby} standby"
        against(text, rate, 15, unit="runs/s", least=True, pace=pace())


def _processor_seconds(pid: int) -> float:
    """What a process's children that are gone have used, and their children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


async def overrun() -> None:
    """How far over its limit a run that fills memory gets before it is stopped."""
    for means in (None, "sampling"):
        async with With(limits=means) as bench:
            for megabytes in (128, 500):
                limits = Limits(memory_mb=megabytes, timeout_seconds=60)
                _, outcome, _ = await bench.run(FILL, limits)
                memory = outcome.evidence["memory"]
                assert isinstance(memory, dict)
                assert outcome.error_type == "OOMError", outcome
                over = int(str(memory["peak"])) / limits.memory_bytes * 100 - 100
                by_kernel = memory["means"] != "sampling"
                most = 5 if by_kernel else max(25, 64 / megabytes * 100)
                against(f"over a limit of {megabytes} MB, {memory['means']}", over, most, unit="%")


async def neighbours(runs: int) -> None:
    """Runs in standby processes, without and with one beside them that thrashes, in turn; and,
    in the same seconds, what the machine does to work that has a processor of its own."""
    times: dict[bool, list[float]] = {False: [], True: []}
    starts: dict[bool, list[float]] = {False: [], True: []}
    async with With(standby=1) as bench:
        await asyncio.sleep(1.0)
        for turn in range(_TURNS):
            thrashes = turn % 2 == 1
            handle, free = None, os.sched_getaffinity(0)
            if thrashes:
                limits = Limits(memory_mb=200, timeout_seconds=600)
                handle = await bench.launch(THRASH, limits)
                await asyncio.sleep(2.5)  # it is held to its part of the processors
                free -= os.sched_getaffinity(engine_of(handle.folder))
                assert free, "the machine is too busy to measure this"
            for _ in range(max(3, runs // _TURNS * 2)):
                times[thrashes].append((await bench.run(TRIVIAL))[0])
                await asyncio.sleep(_PAUSE_SECONDS)
                starts[thrashes].append(await asyncio.to_thread(process_start, min(free)))
            if handle is not None:
                await handle.cancel()
                await handle.outcome()
    alone, beside = statistics.median(times[False]), statistics.median(times[True])
    plain("latency of a neighbour, alone: median", alone, "ms")
    plain("latency of a neighbour of a run that thrashes: median", beside, "ms")
    against("a neighbour's latency changes by", (beside / alone - 1) * 100, 20, unit="%")
    floor = statistics.median(starts[True]) / statistics.median(starts[False])
    plain("  that of a process start with a processor of its own by", (floor - 1) * 100, "%")
    ours = beside / alone / floor
    plain("  which leaves for what runs share", (ours - 1) * 100, "%")


def process_start(processor: int) -> float:
    """Seconds that a process takes to start on this processor. Nothing of ours is in it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {processor})
    try:
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-S", "-c", "import json"], check=True)
        return time.perf_counter() - begun
    finally:
        os.sched_setaffinity(0, before)


def engine_of(folder: RunFolder) -> int:
    """The process id of a run's engine."""
    with JournalReader(folder.journal) as reader:
        (launched,) = (item.json() for item in reader.read() if item.kind == Kind.LAUNCHED)
    pids = launched["pids"]
    assert isinstance(pids, dict)
    return int(str(pids["engine"]))


async def idle_memory() -> None:
    """Proportional memory of a supervisor with five standby processes."""
    async with With(standby=5) as bench:
        # Runs that come together make the supervisor keep more of them.
        await asyncio.gather(*(bench.run(TRIVIAL) for _ in range(12)))
        await asyncio.sleep(4)
        waiting = len(list((bench.data / "scratch").glob("standby-*")))
        family = processes.family([bench.supervisor])
        total = sum(_proportional(pid) for pid in family)
        name = f"proportional memory of an engine with {waiting} standby"
        against(name, total / MEBIBYTE, 300, unit="MB")


def _proportional(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0

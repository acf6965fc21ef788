"""Kills at random instants, and what many runs leave behind."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import statistics
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from benchmarks.bars import against, plain
from benchmarks.engine.bench import TRIVIAL, Bench, With
from holdfast.engine.client import RunHandle
from holdfast.journal import JournalReader, RunFolder
from holdfast.model.json import JsonObject
from holdfast.model.limits import Limits
from holdfast.model.outcome import Outcome
from holdfast.model.record import Kind
from holdfast.sandbox import processes
from holdfast.sandbox.cgroups import PREFIX

BUSY = "export default [state => { for (;;); }]"
#: The only true outcome of a run whose process was killed.
_TRUE = {"engine": "ExternalKill", "compiler": "ExternalKill", "shim": "ShimLost"}
_SETTLE_SECONDS = 20.0
_PATIENCE_SECONDS = 5.0


async def kills(count: int, seed: int) -> None:
    """SIGKILL of engine, compiler or shim at random instants: every outcome true."""
    chance = random.Random(seed)
    outcomes: Counter[str] = Counter()
    after_kill: list[float] = []
    wrong = 0
    async with With(standby=2) as bench:
        for _ in range(count):
            handle = await bench.launch(BUSY, Limits(timeout_seconds=60))
            launched = _launched(handle.folder.path)
            victim = chance.choice(["engine", "engine", "compiler", "shim"])
            await asyncio.sleep(chance.random() * 0.15)
            begun = time.time()
            hit = _kill(launched, victim) and await _ends(handle)
            if not hit:  # a compiler whose work was done, or that was leaving already
                await handle.cancel("too late to kill")
            outcome = await asyncio.wait_for(handle.outcome(), 70)
            expected = _TRUE[victim] if hit else "Cancelled"
            wrong += outcome.error_type != expected
            outcomes[f"{victim if hit else 'nothing'}: {outcome.error_type}"] += 1
            if hit:
                after_kill.append(_ended_at(handle.folder.path) * 1000 - begun * 1000)
            await handle.close()
            shutil.rmtree(handle.folder.path, ignore_errors=True)
    for name, number in sorted(outcomes.items()):
        plain(f"kills at random instants, killed {name}", number)
    against(f"outcomes that are not true, of {count}", wrong, 0, unit="")
    median, slowest = statistics.median(after_kill), max(after_kill)
    against("from a kill to the written outcome: median", median, 50, unit="ms")
    plain("from a kill to the written outcome: 99 of 100", _percentile(after_kill, 0.99), "ms")
    plain("from a kill to the written outcome: slowest", slowest, "ms")


async def _ends(handle: RunHandle) -> bool:
    """Whether the run ends of the kill: a process that is leaving cannot be killed any more."""
    waiting = asyncio.ensure_future(handle.outcome())
    await asyncio.wait({waiting}, timeout=_PATIENCE_SECONDS)
    if waiting.done():
        return True
    waiting.cancel()
    return False


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _kill(launched: JsonObject, victim: str) -> bool:
    """False when the process was gone, or going, already."""
    pids = launched["pids"]
    assert isinstance(pids, dict)
    pid = int(str(launched["shim"] if victim == "shim" else pids[victim]))
    if _state(pid) in ("", "Z", "X"):
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False


def _launched(directory: Path) -> JsonObject:
    with JournalReader(RunFolder(directory).journal) as reader:
        for record in reader.read():
            if record.kind == Kind.LAUNCHED:
                return record.json()
    raise AssertionError(directory)


def _ended_at(directory: Path) -> float:
    """The second in which the outcome was written."""
    with JournalReader(RunFolder(directory).journal) as reader:
        times = [record.time_us for record in reader.read() if record.kind == Kind.OUTCOME]
    return times[-1] / 1e6


async def leaks(runs: int) -> None:
    """What is left on the machine after many runs, four at a time."""
    before = _machine()
    async with With(standby=2) as bench:
        await _many(bench, 20)
        standing = await _settled(bench)
        begun = time.monotonic()
        untrue = await _many(bench, runs)
        rate = runs / (time.monotonic() - begun)
        plain(f"{runs} runs, each in a fresh process", rate, "runs/s")
        against("of them without a true outcome", untrue, 0, unit="")
        after = await _settled(bench)
        for name in standing:
            more = after[name] - standing[name]
            against(f"left after {runs} runs: {name}", more, 0, unit="")
        mebibytes = _resident(bench.supervisor) / 1024
        plain(f"memory of the supervisor after {runs} runs", mebibytes, "MB")
    end = time.monotonic() + _SETTLE_SECONDS
    while (left := _machine()) != before and time.monotonic() < end:  # noqa: ASYNC110
        await asyncio.sleep(0.5)
    for name, number in left.items():
        against(f"left when the engine has ended: {name}", number - before[name], 0, unit="")


async def _many(bench: Bench, runs: int) -> int:
    """Execute so many; returns how many did not end as they should."""
    gate = asyncio.Semaphore(4)

    async def one() -> bool:
        async with gate:
            handle = await bench.launch(TRIVIAL)
            outcome = await _end(handle)
            await handle.close()
            return outcome.error_type is None

    true = 0
    for start in range(0, runs, 500):
        ended = await asyncio.gather(*(one() for _ in range(min(500, runs - start))))
        true += sum(ended)
    return runs - true


async def _end(handle: RunHandle) -> Outcome:
    outcome = await asyncio.wait_for(handle.outcome(), 120)
    folder = handle.folder
    lasting = time.monotonic() + _SETTLE_SECONDS
    while folder.control_socket.exists() and time.monotonic() < lasting:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    if not folder.control_socket.exists():  # what a run leaves is counted, not cleaned away
        shutil.rmtree(folder.path, ignore_errors=True)
    return outcome


async def _settled(bench: Bench) -> dict[str, int]:
    """What an engine holds when nothing runs, once that does not change any more."""
    last: dict[str, int] = {}
    end = time.monotonic() + _SETTLE_SECONDS
    steady = 0
    while time.monotonic() < end and steady < 4:
        await asyncio.sleep(0.5)
        now = _engine(bench)
        steady = steady + 1 if now == last else 0
        last = now
    return last


def _engine(bench: Bench) -> dict[str, int]:
    """Counts without the standby processes, of which there may be one more or less."""
    supervisor = bench.supervisor
    family = processes.family([supervisor])
    standby = len(list((bench.data / "scratch").glob("standby-*")))
    descriptors = len(list(Path(f"/proc/{supervisor}/fd").iterdir()))
    return {
        "zombies": sum(_state(pid) == "Z" for pid in family),
        "processes": len(family) - 3 * standby,  # shim, compiler and engine each
        "scratch folders": len(list((bench.data / "scratch").iterdir())) - standby,
        "sockets": len(list((bench.data / "journals").rglob("*.sock"))),
        "run folders": len(list((bench.data / "journals").iterdir())),
        "descriptors of the supervisor": descriptors - 2 * standby,
    }


def _machine() -> dict[str, int]:
    """Groups of makers that are gone, and mounts."""
    # os.walk, as others make and remove groups meanwhile
    groups = [
        Path(folder, name)
        for folder, names, _ in os.walk("/sys/fs/cgroup")
        for name in names
        if name.startswith(PREFIX) and not _alive(Path(name))
    ]
    mounts = Path("/proc/self/mountinfo").read_text().count("\n")
    return {"groups": len(groups), "mounts": mounts}


def _alive(path: Path) -> bool:
    maker = path.name.rpartition("-")[2]
    return not maker.isdigit() or processes.start_time(int(maker)) is not None


def _resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""

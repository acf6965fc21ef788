"""python -m benchmarks.engine [--runs N] [--kills N]: prints one line per figure, as `name value`.

Starts engines of its own in temporary folders. Works as root and as an ordinary user.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import signal
import statistics
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from holdfast.engine.client import Engine, RunRequest, prepare_run, read_outcome, start_supervisor
from holdfast.engine.config import EngineConfig
from holdfast.journal import JournalReader, RunFolder
from holdfast.model.json import JsonObject
from holdfast.model.limits import MEBIBYTE, Limits
from holdfast.model.outcome import Outcome
from holdfast.model.record import Kind
from holdfast.sandbox import processes

TRIVIAL = "export default [state => ({ ...state, n: 1 })]"
BUSY = "export default [state => { for (;;); }]"
FILL = "export default [state => { const k = []; for (;;) k.push(Buffer.alloc(1 << 20, 1)); }]"
NO_WALLS = frozenset(
    {"namespaces", "network-namespace", "own-uid", "landlock", "seccomp", "egress-broker"}
    | {"node-permissions"}
)


def say(name: str, value: float | str, unit: str = "") -> None:
    shown = f"{value:.1f}" if isinstance(value, float) else value
    print(f"{name:58} {shown} {unit}".rstrip(), flush=True)


class Bench:
    """One engine and runs through it."""

    def __init__(self, engine: Engine, data: Path) -> None:
        self.engine = engine
        self.data = data

    def request(self, code: str, limits: Limits) -> RunRequest:
        plan: JsonObject = {
            "id": "p",
            "workflow": {"steps": [{"id": "a", "name": "A", "adaptors": [], "expression": code}]},
        }
        folder = prepare_run(self.data / "journals", uuid.uuid4().hex, plan, {"data": {}})
        return RunRequest(folder.path, folder.path.name, limits)

    async def run(self, code: str, limits: Limits | None = None) -> tuple[float, Outcome, Path]:
        """Milliseconds from the request to the durable outcome."""
        request = self.request(code, limits or Limits())
        begun = time.perf_counter()
        handle = await self.engine.launch(request)
        outcome = await handle.outcome()
        return (time.perf_counter() - begun) * 1000, outcome, request.directory


class With:
    """`async with With(standby=2) as bench:` starts an engine with these settings."""

    def __init__(self, **changes: object) -> None:
        self._changes = changes

    async def __aenter__(self) -> Bench:
        self._data = Path(tempfile.mkdtemp(prefix="holdfast-bench-"))
        changes = self._changes
        configure: Callable[[EngineConfig], EngineConfig] = lambda c: replace(c, **changes)  # type: ignore[arg-type]  # noqa: E731
        self._context = start_supervisor(self._data, configure=configure)
        return Bench(await self._context.__aenter__(), self._data)

    async def __aexit__(self, *_: object) -> None:
        await self._context.__aexit__(None, None, None)
        shutil.rmtree(self._data, ignore_errors=True)


async def latency(runs: int) -> None:
    """One run after the other, with a pause in which a standby process is made."""
    medians: dict[str, float] = {}
    for name, pause, changes in (
        ("cold, no walls", 0.0, {"without": NO_WALLS}),
        ("cold, all walls", 0.0, {}),
        ("standby, no walls", 0.4, {"without": NO_WALLS, "standby": 1}),
        ("standby, all walls", 0.4, {"standby": 1}),
    ):
        async with With(**changes) as bench:
            await asyncio.sleep(1.0)
            times = []
            for _ in range(runs):
                times.append((await bench.run(TRIVIAL))[0])
                await asyncio.sleep(pause)
        medians[name] = statistics.median(times)
        say(f"latency of a trivial run, {name}: median", medians[name], "ms")
        say(f"latency of a trivial run, {name}: fastest", min(times), "ms")
    for start in ("cold", "standby"):
        cost = medians[f"{start}, all walls"] - medians[f"{start}, no walls"]
        say(f"isolation adds to a {start} start", cost, "ms")


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
            spent = _processor_seconds(_supervisor(bench)) / runs * 1000
        say(f"processor time of a run, {standby} standby", spent, "ms")
        say(f"throughput, four at a time, {standby} standby", rate, "runs/s")


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
                say(f"over a limit of {megabytes} MB, {memory['means']}", over, "%")


async def kills(count: int, seed: int) -> None:
    """SIGKILL of the run process or the shim at random instants: every outcome true."""
    chance = random.Random(seed)
    outcomes: Counter[str] = Counter()
    after_kill: list[float] = []
    async with With(standby=2) as bench:
        for _ in range(count):
            request = bench.request(BUSY, Limits(timeout_seconds=30))
            handle = await bench.engine.launch(request)
            launched = _launched(request.directory)
            victim = chance.choice(["engine", "engine", "compiler", "shim"])
            pid = launched["shim"] if victim == "shim" else launched["pids"][victim]  # type: ignore[index,call-overload]
            await asyncio.sleep(chance.random() * 0.15)
            started = processes.start_time(int(str(pid)))
            begun = time.time()
            if started is None:  # a compiler that was done already
                await handle.cancel("too late to kill")
            else:
                os.kill(int(str(pid)), signal.SIGKILL)
            outcome = await asyncio.wait_for(handle.outcome(), 40)
            _, when = _last(request.directory)
            if started is not None and victim != "compiler":
                after_kill.append(when / 1000 - begun * 1000)
            outcomes[f"{victim}: {outcome.error_type}"] += 1
            true = {"ExternalKill", "ShimLost", "Cancelled", "TimeoutError"}
            assert outcome.error_type in true, outcome
    for name, number in sorted(outcomes.items()):
        say(f"kills at random instants, {name}", str(number))
    say("from a kill to the written outcome: median", statistics.median(after_kill), "ms")
    say("from a kill to the written outcome: slowest", max(after_kill), "ms")


def _launched(directory: Path) -> JsonObject:
    with JournalReader(RunFolder(directory).journal) as reader:
        for record in reader.read():
            if record.kind == Kind.LAUNCHED:
                return record.json()
    raise AssertionError(directory)


def _last(directory: Path) -> tuple[int, int]:
    kind = when = 0
    with JournalReader(RunFolder(directory).journal) as reader:
        for record in reader.read():
            kind, when = record.kind, record.time_us
    return kind, when


async def idle_memory() -> None:
    """Proportional memory of a supervisor with five standby processes."""
    async with With(standby=5) as bench:
        # Runs that come together make the supervisor keep more of them.
        await asyncio.gather(*(bench.run(TRIVIAL) for _ in range(12)))
        await asyncio.sleep(4)
        waiting = len(list((bench.data / "scratch").glob("standby-*")))
        family = processes.family([_supervisor(bench)])
        total = sum(_proportional(pid) for pid in family)
        say(f"proportional memory of an engine with {waiting} standby", total / MEBIBYTE, "MB")


def _supervisor(bench: Bench) -> int:
    for pid in processes.children(os.getpid()):
        if str(bench.data) in Path(f"/proc/{pid}/cmdline").read_text():
            return pid
    raise AssertionError


def _processor_seconds(pid: int) -> float:
    """What a process's children that are gone have used, and their children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def _proportional(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


async def leaks(runs: int) -> None:
    """What is left on the machine after many runs."""
    before = _inventory()
    async with With(standby=2) as bench:
        gate = asyncio.Semaphore(4)

        async def one() -> None:
            async with gate:
                await bench.run(TRIVIAL)

        await asyncio.gather(*(one() for _ in range(runs)))
        unfinished = [
            path for path in (bench.data / "journals").iterdir() if read_outcome(path) is None
        ]
        say(f"runs without an outcome, of {runs}", str(len(unfinished)))
        await asyncio.sleep(2)
        family = processes.family([_supervisor(bench)])
        zombies = [pid for pid in family if _state(Path(f"/proc/{pid}")) == "Z"]
        say(f"left after {runs} runs: zombies", str(len(zombies)))
        scratch = [path for path in (bench.data / "scratch").iterdir() if not _alive(path)]
        say(f"left after {runs} runs: scratch folders", str(len(scratch)))
    await asyncio.sleep(2)
    after = _inventory()
    for name, number in after.items():
        say(f"left after {runs} runs: {name}", str(number - before[name]))


def _inventory() -> dict[str, int]:
    """Groups and scratch folders of makers that are gone, and mounts."""
    groups = [
        path
        for root in ("memory", "pids", "cpu")
        for path in Path("/sys/fs/cgroup", root).glob("**/holdfast/*-*")
        if not _alive(path)
    ]
    mounts = Path("/proc/self/mountinfo").read_text().count("\n")
    return {"groups": len(groups), "mounts": mounts}


def _alive(path: Path) -> bool:
    maker = path.name.rpartition("-")[2]
    return not maker.isdigit() or processes.start_time(int(maker)) is not None


def _state(folder: Path) -> str:
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine")
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--leak-runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--only", help="latency, throughput, overrun, kills, memory or leaks")
    given = parser.parse_args(arguments)
    say("seed (repeat with --seed)", str(given.seed))
    parts = {
        "latency": lambda: latency(max(5, given.runs // 4)),
        "throughput": lambda: throughput(given.runs),
        "overrun": overrun,
        "kills": lambda: kills(given.kills, given.seed),
        "memory": idle_memory,
        "leaks": lambda: leaks(given.leak_runs),
    }
    for name, part in parts.items():
        if given.only in (None, name):
            asyncio.run(part())

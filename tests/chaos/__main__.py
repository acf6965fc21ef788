# ruff: noqa: T201 - a program of its own that prints, on a disk nobody else waits for
"""Drives a real worker through random faults and checks from outside that nothing was lost.

    python -m tests.chaos --seed 7 --runs 1000 --lanes 2

Each lane is a worker and a platform of its own; the first has the seed, the next one more. Odd
seeds meet a platform with windows and batches, even ones a strict Lightning: an old, a current or
the newest one, in turn, with and without batches of log lines.
The seed decides which faults are ordered and where they may strike; the machine's scheduling
decides what they meet, so that a replay repeats the pressure and not every instant of it.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from chaos import checks
from chaos.monkey import Monkey, fault_plan
from chaos.scene import Effects, Expected, some
from holdfast.protocol.messages import Extension
from holdfast.testing.platform import TwinPlatform
from holdfast.testing.profile import PROFILES
from support.waiting import until
from support.worker import Worker, alive, descendants

CAPACITY = 6
#: How one lane is driven alone.
AGAIN = "make chaos SEED={seed} RUNS={runs} ARGS='--lanes 1'"
#: Runs that wait in the queue at any time.
AHEAD = 12
#: The storm pauses when no run has ended for this long, seconds, until one does.
LULL = 15


async def chaos(seed: int, runs: int, data: Path, *, patience: float) -> tuple[int, str]:
    """The number of violations, and the report."""
    chance = random.Random(seed)
    offer = Extension(64, batch_logs=True, idempotent=True) if seed % 2 else None
    profile, batch = PROFILES[seed // 2 % len(PROFILES)], seed // 6 % 2
    struck = data / "struck"
    data.mkdir(parents=True, exist_ok=True)
    plan = fault_plan(data / "faults.json", seed, struck, rate=0.002)
    options = {
        "WORKER_CAPACITY": CAPACITY, "WORKER_MESSAGE_TIMEOUT_SECONDS": 1,
        "WORKER_CLAIM_TIMEOUT_SECONDS": 1,
        "WORKER_LOG_LEVEL": "info", "HOLDFAST_FAULTS": plan, "WORKER_KEEP_HOURS": 1000,
        "WORKER_KEEP_MB": 100_000, "WORKER_BATCH_LOGS": "true" if batch else "false",
    }  # fmt: skip
    effects, began = Effects(), time.monotonic()
    await effects.start()
    async with TwinPlatform(extension=offer, profile=profile) as platform:
        platform.join_seconds = 5
        async with Worker(platform, data / "worker", **options) as worker:
            monkey = Monkey(chance, platform, worker, struck, pause=1.0)
            monkeying = asyncio.create_task(monkey.run())
            everything: list[Expected] = []
            stood_still: list[str] = []
            last_news, known = time.monotonic(), 0
            while len(everything) < runs or not all(item.run.final for item in everything):
                open_runs = sum(not item.run.final for item in everything)
                more = min(CAPACITY + AHEAD - open_runs, runs - len(everything))
                if more > 0:
                    everything += some(chance, platform, effects, more)
                    platform.push("worker:queue", "work-available", {})
                final = len(everything) - open_runs
                if final != known:
                    known, last_news = final, time.monotonic()
                    _progress(seed, final, runs, began)
                silence = time.monotonic() - last_news
                monkey.lull = silence > LULL
                if silence > patience:
                    stood_still.append(f"no run ended for {patience:g} s, after {final} runs")
                    break
                if monkeying.done() and not monkeying.cancelled():
                    monkeying.result()
                if len(everything) == runs and not monkeying.done():
                    monkeying.cancel()  # the storm is over: what is left must arrive
                    await asyncio.gather(monkeying, return_exceptions=True)
                    if platform._server is None:
                        await platform.start()
                    worker_continue(worker)
                monkey.revive()
                monkey.thaw()
                await asyncio.sleep(0.05)
            monkeying.cancel()
            await asyncio.gather(monkeying, return_exceptions=True)
            left = await put_to_rest(worker, monkey)
    await effects.stop()
    monkey.ledger.read(struck)

    def check() -> list[str]:
        return [
            f"run {item.run.id} ({item.kind}): {text}"
            for item in everything
            for text in checks.problems(
                item, effects, monkey.ledger, data / "worker", idempotent=offer is not None
            )
        ]

    # In a thread: the other lanes' platforms must go on answering meanwhile.
    found = stood_still + await asyncio.to_thread(check) + left
    kind = (
        "window 64, batches, idempotent" if offer else f"{profile.name} Lightning, batch {batch}"
    )
    return len(found), _report(seed, everything, found, monkey, began, kind)


def worker_continue(worker: Worker) -> None:
    """Wake an agent that the monkey froze and did not wake."""
    import os
    import signal

    for pid in worker.agents():
        os.kill(pid, signal.SIGCONT)


async def put_to_rest(worker: Worker, monkey: Monkey) -> list[str]:
    """End the worker, and say what it left behind."""
    problems = []
    for _ in range(5):  # a fault point may strike while it ends
        monkey.revive()
        worker_continue(worker)
        family = descendants(worker.pid)
        try:
            ending = asyncio.create_task(worker.end(60))
            while not ending.done():
                monkey.thaw()
                await asyncio.wait([ending], timeout=0.1)
            code = ending.result()
        except Exception as error:
            problems.append(f"the worker does not end: {error}")
            break
        if code == 0:
            break
    worker.environment.pop("HOLDFAST_FAULTS", None)
    worker.start()  # what a killed shim could not clear away is cleared by the next start
    await worker.ready()
    await worker.end(60)
    if any(alive(pid) for pid in family):
        problems.append("processes are left")
    for name in ("journals", "scratch"):
        problems += await _emptied(worker.data / name)
    return problems


async def _emptied(folder: Path) -> list[str]:
    """What is wrong: names that stay. The keeper of a zygote clears away after its supervisor."""
    try:
        await until(lambda: not _left_in(folder), seconds=20)
    except AssertionError:
        return [f"{folder.name} is not empty: {_left_in(folder)[:3]}"]
    return []


def _left_in(folder: Path) -> list[str]:
    """Names there. A standby's goes with the next start, as everything a killed process leaves."""
    found = folder.iterdir() if folder.exists() else []
    return [path.name for path in found if not path.name.startswith("standby-")]


def _progress(seed: int, final: int, runs: int, began: float) -> None:
    if final % 25 == 0 or final == runs:
        rate = final / (time.monotonic() - began)
        line = f"seed {seed}: {final}/{runs} runs, {rate:.1f}/s"
        print(line, file=sys.stderr, flush=True)


def _report(
    seed: int, everything: list[Expected], found: list[str], monkey: Monkey, began: float,
    kind: str,
) -> str:  # fmt: skip
    runs = len(everything)
    done = monkey.ledger.counts()
    points = {kind: number for kind, number in done.items() if "." in kind}
    states = Counter(item.run.state for item in everything)
    seconds = time.monotonic() - began
    lines = [
        f"seed {seed}: {len(everything)} runs in {seconds:.0f} s, {len(found)} violations",
        f"  platform: {kind}",
        f"  states: {dict(states)}",
        f"  disturbances: { {kind: n for kind, n in done.items() if kind not in points} }",
        f"  fault points struck: {points}",
        *(f"  VIOLATION (seed {seed}) {text}" for text in found[:20]),
        *([f"  this lane again: {AGAIN.format(seed=seed, runs=runs)}"] if found else []),
    ]
    return "\n".join(lines)


async def storm(seed: int, runs: int, lanes: int, data: Path, patience: float) -> int:
    """Drive the lanes side by side and print their reports; the number of violations."""
    shares = [runs // lanes + (lane < runs % lanes) for lane in range(lanes)]
    ended = await asyncio.gather(
        *(
            chaos(seed + lane, share, data / str(seed + lane), patience=patience)
            for lane, share in enumerate(shares)
        )
    )
    print("\n" + "\n".join(report for _, report in ended))
    violations = sum(number for number, _ in ended)
    print(f"{runs} runs, {violations} violations; again: make chaos SEED={seed} RUNS={runs}")
    return violations


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", default="random")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--lanes", type=int, default=2, help="workers side by side")
    parser.add_argument("--data", type=Path, help="keep everything here")
    parser.add_argument("--patience", type=float, default=180, help="seconds without news")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if given.seed == "random" else int(given.seed)
    data = given.data or Path(tempfile.mkdtemp(prefix="holdfast-chaos-"))
    violations = asyncio.run(storm(seed, given.runs, given.lanes, data, given.patience))
    if violations:
        print(f"everything is kept in {data}: journals, the worker's log, the faults")
    elif given.data is None:
        shutil.rmtree(data)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())

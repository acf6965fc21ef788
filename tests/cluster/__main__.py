# ruff: noqa: T201 - a program of its own that prints
"""Drives a cluster through random faults and checks that no run was lost, doubled or left.

    python -m tests.cluster --seed 7 --runs 300

Two platforms share a PostgreSQL with a synchronous standby; three workers are connected to them.
Senders send each request until a platform answers it. A cron trigger is due each minute.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from chaos.scene import Effects
from cluster import checks, stored
from cluster.databases import Databases
from cluster.load import Load
from cluster.monkey import Monkey
from cluster.scene import Platform, project, workers
from support.adaptors import installed
from support.postgres_server import programs
from support.waiting import Probe, until

#: The storm pauses when no request was answered for this long, seconds, until one is.
_LULL = 20.0
#: Nothing is ended after this second of a minute.
_LATE = 40


@contextmanager
def postgres(folder: Path, where: Path) -> Iterator[Databases]:
    """Both servers, stopped afterwards."""
    both = Databases(folder, where)
    try:
        both.start()
        yield both
    finally:
        both.stop()


async def storm(seed: int, runs: int, data: Path, databases: Databases, patience: float) -> int:
    """Drive the cluster, print a report; the number of violations."""
    chance, effects, began = random.Random(seed), Effects(), time.monotonic()
    await effects.start()
    first = Platform(data / "platform0", databases.url)
    platforms = [first, first.beside(data / "platform1")]
    hands = workers(platforms, data, 3, installed().root)
    monkey = Monkey(random.Random(chance.random()), databases, platforms, hands)
    try:
        for platform in platforms:
            platform.start()
            await platform.ready()
        async with first.client() as client:
            answer = await client.post("/api/provision", json=project(effects.port))
            answer.raise_for_status()
        for hand in hands:
            hand.start()
        load = Load(random.Random(chance.random()), platforms, runs)
        found = await _drive(monkey, load, databases.url, patience)
        found += await _rest(monkey)
    finally:
        for hand in hands:
            hand.kill_everything()
        for platform in platforms:
            platform.kill()
        await effects.stop()
    everything, minutes = stored.read(databases.url)
    found += load.problems + monkey.problems
    found += checks.problems(load.told, everything, effects.counts, monkey.ledger, minutes)
    states = Counter(run.state for run in everything)
    seconds = time.monotonic() - began
    print(f"seed {seed}: {len(everything)} runs in {seconds:.0f} s, {dict(states)}")
    print(f"  of {len(minutes)} cron minutes; {load.again} requests were sent again")
    print(f"  disturbances: {dict(monkey.ledger.counts())}")
    for problem in found[:30]:
        print(f"  VIOLATION {problem}")
    print(f"{len(found)} violations; again: make chaos-cluster SEED={seed} RUNS={runs}")
    return len(found)


async def _drive(monkey: Monkey, load: Load, url: str, patience: float) -> list[str]:
    """Everything is sent, and everything ends; what stood still instead."""
    sending, storming = asyncio.create_task(load.send()), asyncio.create_task(monkey.run())
    news, known = time.monotonic(), -1
    try:
        while not sending.done():
            if storming.done():
                storming.result()
            if len(load.told) != known:
                news, known = time.monotonic(), len(load.told)
                _progress(known, load.runs)
            silence = time.monotonic() - news
            monkey.lull = silence > _LULL
            if silence > patience:
                return [f"no request was answered for {patience:g} s, after {known}"]
            await asyncio.sleep(0.1)
        sending.result()
    finally:
        for task in (storming, sending):
            task.cancel()
        await asyncio.gather(storming, sending, return_exceptions=True)

    async def over() -> bool:
        """Long enough before the next minute, whose run nobody would do any more."""
        monkey.revive()  # a platform may have met a database that was away, and ended
        return time.time() % 60 < _LATE and await asyncio.to_thread(stored.at_rest, url)

    probe: Probe[object] = over
    with suppress(AssertionError):  # what is left then is named by the checks
        await until(probe, seconds=patience)
    return []


async def _rest(monkey: Monkey) -> list[str]:
    """End everything in order; what does not, or leaves something behind."""
    found = []
    for worker in monkey.workers:
        code = await worker.end(60)
        left = [path.name for path in (worker.data / "journals").iterdir()]
        if code or left:
            found.append(f"{worker.data.name} ended with {code} and left {left[:3]}")
    for platform in monkey.platforms:
        assert platform.process is not None
        await platform.ready()  # it may have been started again just now
        platform.process.terminate()
        code = await asyncio.to_thread(platform.process.wait, 60)
        if code or "\nTraceback" in platform.log.read_text():
            found.append(f"{platform.data.name} ended with {code}, or its log has a traceback")
    return found


def _progress(told: int, runs: int) -> None:
    if told % 25 == 0:
        print(f"{told}/{runs} requests answered", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("--seed", default="random")
    parser.add_argument("--runs", type=int, default=300, help="requests")
    parser.add_argument("--patience", type=float, default=180, help="seconds without news")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # and clear away
    if (where := programs()) is None:
        print("PostgreSQL is missing: apt-get install postgresql", file=sys.stderr)
        return 2
    seed = random.SystemRandom().randrange(10**6) if given.seed == "random" else int(given.seed)
    data = Path(tempfile.mkdtemp(prefix="holdfast-cluster-"))
    data.chmod(0o755)  # the servers run as another user
    with postgres(data, where) as databases:
        found = asyncio.run(storm(seed, given.runs, data, databases, given.patience))
    if found:
        print(f"everything is kept in {data}: journals, logs, databases")
    else:
        shutil.rmtree(data)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

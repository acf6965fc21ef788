"""`python -m benchmarks.engine.pairs OTHER_TREE`: what a run costs here and in another tree.

Both engines live side by side and take turns in random order, so that whatever else the machine
does meets both. OTHER_TREE has a `.venv` of its own (`make setup` there). Prints medians, and the
median of the quotients of the pairs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
#: What is compared: name -> runs of one turn, and how many at a time.
#: The first has a ready process for each run, the second for a third of them.
KINDS = {
    "two, both with a process ready": (2, 1),
    "one after the other": (6, 1),
    "four at a time": (12, 4),
}
_SETTLING_SECONDS = 0.3
#: What an engine prints of one turn.
Turn = dict[str, float]


async def engine(lane: str) -> None:
    """One engine: a line `runs at_a_time` is one turn."""
    from benchmarks.engine.bench import TRIVIAL, Bench, With
    from holdfast.engine.config import EngineConfig

    async def turn(bench: Bench, runs: int, at_a_time: int) -> Turn:
        before, begun = spent_ms(bench.supervisor), time.perf_counter()
        room = asyncio.Semaphore(at_a_time)

        async def one() -> float:
            async with room:
                return (await bench.run(TRIVIAL))[0]

        walls = await asyncio.gather(*(one() for _ in range(runs)))
        took = (time.perf_counter() - begun) * 1000
        await asyncio.sleep(_SETTLING_SECONDS)  # for processes that end, and new standby ones
        spent = spent_ms(bench.supervisor) - before
        return {
            "latency, ms": statistics.median(walls),
            "latency of the slowest, ms": max(walls),
            "time for each run, ms": took / runs,
            "processor time of all processes for each run, ms": spent / runs,
        }

    # an older tree has standby processes only
    lanes = {"lane": lane} if "lane" in EngineConfig.__dataclass_fields__ else {}
    async with With(standby=2, **lanes) as bench:
        await turn(bench, 3, 1)
        print("ready", flush=True)
        loop = asyncio.get_running_loop()
        while line := (await loop.run_in_executor(None, sys.stdin.readline)).split():
            print(json.dumps(await turn(bench, *map(int, line))), flush=True)


def spent_ms(pid: int) -> float:
    """Processor time of a process, of its descendants, and of all that these have waited for."""
    ticks, waiting = 0, [pid]
    while waiting:
        try:
            stat = Path(f"/proc/{(one := waiting.pop())}/stat").read_text()
            below = [path.read_text() for path in Path(f"/proc/{one}/task").glob("*/children")]
        except OSError:  # it has ended: whoever waits for it has its time
            continue
        ticks += sum(map(int, stat.rpartition(")")[2].split()[11:15]))
        waiting += map(int, " ".join(below).split())
    return ticks / os.sysconf("SC_CLK_TCK") * 1000


class Side:
    """The engine of one tree, in a process of its own."""

    def __init__(self, tree: Path, lane: str) -> None:
        command = [str(tree / ".venv/bin/python"), __file__, "--engine", "--lane", lane]
        self._process = subprocess.Popen(
            command, cwd=tree, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(tree)},
        )  # fmt: skip
        self.turns: list[Turn] = []
        assert self._line() == "ready\n"

    def turn(self, runs: int, at_a_time: int) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{runs} {at_a_time}\n")
        self._process.stdin.flush()
        self.turns.append(json.loads(self._line()))

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def end(self) -> None:
        self._process.communicate("\n")


def compare(other: Path, seconds: float, lane: str, kinds: list[str]) -> None:
    """Turns of both, for so long for each kind."""
    for kind in kinds:
        runs, at_a_time = KINDS[kind]
        sides = [Side(other, lane), Side(HERE, lane)]
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for side in random.sample(sides, 2):
                side.turn(runs, at_a_time)
        for side in sides:
            side.end()
        old, new = (side.turns for side in sides)
        for name in old[0]:
            change = statistics.median(b[name] / a[name] for a, b in zip(old, new, strict=True))
            medians = [statistics.median(turn[name] for turn in turns) for turns in (old, new)]
            print(
                f"{kind}, {name}: {medians[0]:.1f} there, {medians[1]:.1f} here,"
                f" {(change - 1) * 100:+.1f} % ({len(old)} pairs)"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, nargs="?")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each kind")
    parser.add_argument("--lane", default="auto", help="auto or standby")
    parser.add_argument("--kinds", nargs="*", choices=KINDS, help="all, unless named")
    parser.add_argument("--engine", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.engine:
        asyncio.run(engine(given.lane))
    elif given.other is None:
        parser.error("name the other tree")
    else:
        compare(given.other.resolve(), given.seconds, given.lane, given.kinds or [*KINDS])


if __name__ == "__main__":
    main()

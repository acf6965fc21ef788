"""What ends first when more comes: a simulation of writers, from times that were measured.

Runs come at random. Each brings pieces of work to the writers of the platform's processes: its
webhook, its claim, and what its worker tells. A writer commits what waits together and then waits
for the disk. A claim holds PostgreSQL's lock of claims from when it begins until its commit has
ended, so that limits hold; a process that claims meanwhile waits.
"""

from __future__ import annotations

import argparse
import heapq
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

#: Runs a second that are simulated, and processes that serve them.
RATES, PROCESSES = (10, 30, 100, 300, 1000), (1, 2, 4, 8)
_GROUP = 256
#: Time from a run's webhook to its end, over which its pieces come.
_LASTS = 2.0


@dataclass(frozen=True, slots=True)
class Costs:
    """Milliseconds of a processor, of the wait for the disk, and pieces of one run."""

    piece: float
    claim: float
    commit: float
    sync: float
    pieces: int


@dataclass(frozen=True, slots=True)
class Found:
    """How long pieces waited, milliseconds, and for which part of the time the writers worked."""

    median: float
    last: float
    busy: float
    #: Runs for which nobody had time, of all.
    left: float


Piece = tuple[float, bool]


def simulate(
    rate: float, processes: int, costs: Costs, seconds: float, seed: str, *, last: bool = True
) -> Found:
    """Times of all pieces. `last`: the claims of a commit come after its other pieces.

    The lock goes to whoever began a commit first.
    """
    waiting = _pieces(rate, processes, costs, seconds, seed)
    total = sum(map(len, waiting))
    free = [(0.0, number) for number in range(processes)]
    lock, busy, taken = 0.0, 0.0, list[float]()
    while free:
        at, number = heapq.heappop(free)
        mine = waiting[number]
        if at >= seconds or not mine:
            continue
        if mine[0][0] > at:
            heapq.heappush(free, (mine[0][0], number))
            continue
        group = list[Piece]()
        while mine and mine[0][0] <= at and len(group) < _GROUP:
            group.append(mine.popleft())
        if last:
            group.sort(key=itemgetter(1))
        now, held = at, False
        for _, claims in group:
            if claims and not held:
                now, held = max(now, lock), True
            spent = (costs.claim if claims else costs.piece) / 1000
            now, busy = now + spent, busy + spent
        now, busy = now + (costs.commit + costs.sync) / 1000, busy + costs.commit / 1000
        lock = now if held else lock
        taken += [(now - came) * 1000 for came, _ in group]
        heapq.heappush(free, (now, number))
    taken.sort()
    share = busy / seconds / processes
    return Found(
        taken[len(taken) // 2], taken[len(taken) * 99 // 100], share, 1 - len(taken) / total
    )


def _pieces(
    rate: float, processes: int, costs: Costs, seconds: float, seed: str
) -> list[deque[Piece]]:
    """When pieces come to each process, and whether they are claims."""
    dice, at = random.Random(f"scaling {seed}"), 0.0
    found: list[list[Piece]] = [[] for _ in range(processes)]
    while (at := at + dice.expovariate(rate)) < seconds:
        found[dice.randrange(processes)].append((at, False))
        worker = dice.randrange(processes)  # where its worker is connected
        moments = sorted(at + dice.random() * _LASTS for _ in range(costs.pieces - 1))
        found[worker] += [(moment, place == 0) for place, moment in enumerate(moments)]
    return [deque(sorted(item for item in some if item[0] < seconds)) for some in found]


def main(flags: Sequence[str]) -> None:
    parser = argparse.ArgumentParser("python -m benchmarks scaling", description=__doc__)
    told = {"piece": 0.65, "claim": 1.1, "commit": 0.3, "sync": 3.0}
    for name, value in told.items():
        parser.add_argument(f"--{name}", type=float, default=value, help="milliseconds")
    parser.add_argument("--pieces", type=int, default=10, help="of each run")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--in-order", action="store_true", help="claims between other pieces")
    asked = parser.parse_args(flags)
    costs = Costs(asked.piece, asked.claim, asked.commit, asked.sync, asked.pieces)
    print("runs/s, processes: half and 99 of 100 pieces within, ms; writers at work; left over")
    for rate in RATES:
        for processes in PROCESSES:
            last = not asked.in_order
            found = simulate(rate, processes, costs, asked.seconds, asked.seed, last=last)
            print(f"{rate:>6} {processes:>3}: {found.median:>9.1f} {found.last:>9.1f}"
                  f" {found.busy:>7.0%} {found.left:>6.0%}", flush=True)  # fmt: skip

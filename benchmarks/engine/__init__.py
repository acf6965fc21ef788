"""What the engine costs, and how hard its limits are.

    python -m benchmarks engine [--only=PART] [--runs=60] [--kills=60] [--leak-runs=100]

Prints one figure a line, with its bar where it has one. Started by root it does everything twice:
as an ordinary user (`--user=none` leaves that out, `--user=65534` does only that), and as root.
The whole tests of survival: `--only=kills --kills=1000`, `--only=leaks --leak-runs=10000`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import subprocess
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

from benchmarks.engine import figures, lanes, survival

_ROOT = Path(__file__).parents[2]
_NOBODY = "65534"


def main(arguments: Sequence[str] = ()) -> None:
    """Print all figures, or those of one part."""
    given = _parse(arguments)
    root = os.geteuid() == 0
    if root and given.user not in (None, "none"):
        _again(given.user, arguments)
        return
    if root and given.user is None:
        _again(_NOBODY, arguments)  # first: later this process has moved to root's control groups
    print(f"-- as {'root' if root else f'user {os.geteuid()}'}", flush=True)
    print(f"seed {given.seed} (repeat with --seed={given.seed})", flush=True)
    parts: dict[str, Callable[[], Coroutine[None, None, None]]] = {
        "latency": lambda: figures.latency(max(5, given.runs // 4)),
        "throughput": lambda: figures.throughput(given.runs),
        "lanes": lambda: lanes.lanes(given.runs * 2),
        "overrun": figures.overrun,
        "neighbours": lambda: figures.neighbours(max(6, given.runs // 4)),
        "memory": figures.idle_memory,
        "kills": lambda: survival.kills(given.kills, given.seed),
        "leaks": lambda: survival.leaks(given.leak_runs),
    }
    for name, part in parts.items():
        if given.only in (None, name):
            asyncio.run(part())


def _again(user: str, arguments: Sequence[str]) -> None:
    """The same as an ordinary user, who may read what is needed for it and no more."""
    command = [
        *(sys.executable, "-P", str(_ROOT / "tests" / "support" / "ordinary.py"), user),
        *(sys.executable, "-m", "benchmarks", "engine", *arguments),
    ]
    environment = {**os.environ, "PYTHONPATH": f"{_ROOT}:{_ROOT / 'src'}", "HOME": "/tmp"}
    subprocess.run(command, env=environment, check=True)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks engine")
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--leak-runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument(
        "--only",
        help="latency, throughput, lanes, overrun, neighbours, memory, kills or leaks",
    )
    parser.add_argument("--user", help="none, or the number of an ordinary user")
    return parser.parse_args(arguments)

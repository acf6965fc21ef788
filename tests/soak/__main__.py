"""Hours of load in one go: `make soak RUNS=… SEED=…`.

A worker with twenty slots and a platform that has always more to do. The seed says when its agent,
a shim or a run is killed, and when the connection is cut. What the worker holds (descriptors,
memory) is sampled, and must be flat from the first quarter on; at the end every slot is free.

The default is what a worker with a run every three seconds does in eight hours.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from soak.soak import Soak

RUNS = 9600


def main(arguments: list[str]) -> int:
    """Returns the exit code: 1 when something was lost or grew."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="holdfast-soak-") as folder:
        soak = Soak(given.seed, given.runs, Path(folder), tell=say)
        found = asyncio.run(soak.drive())
    say(soak.report())
    for problem in found:
        say(f"  {problem}")
    return 1 if found else 0


def say(text: str) -> None:
    """One line, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

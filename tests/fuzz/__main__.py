"""`python -m tests.fuzz [DOOR…]`: each door for some time; 0 when all of them hold."""

from __future__ import annotations

import argparse
import secrets
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz.harness import DOORS, DoorFell, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("doors", nargs="*", default=list(DOORS), help=", ".join(DOORS))
    parser.add_argument("--seconds", type=float, default=600.0, help="for each door")
    parser.add_argument("--cases", type=int, help="for each door, instead of a time")
    parser.add_argument("--items", type=int, help="records, frames or requests, instead of a time")
    parser.add_argument("--seed", default="random")
    parser.add_argument("--case", type=int, help="only this one, of a seed")
    given = parser.parse_args()
    seed = secrets.token_hex(4) if given.seed == "random" else given.seed
    seconds = given.seconds if given.cases is None and given.items is None else None
    fell = 0
    _say(f"seed {seed}")
    for name in given.doors:
        try:
            report = run(
                name, seed, cases=given.cases, seconds=seconds, least=given.items, only=given.case
            )
        except DoorFell as error:
            _say(f"{name} FELL: {error}")
            fell += 1
        else:
            told = f"{report.cases} cases, {report.items} items in {report.seconds:.0f} s"
            _say(f"{name} held: {told}")
    return 1 if fell else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

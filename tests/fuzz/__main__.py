"""`python -m tests.fuzz [DOOR…]`: each door for some time; 0 when all of them hold."""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz.harness import DOORS, DoorFell, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("doors", nargs="*", default=list(DOORS), help=", ".join(DOORS))
    parser.add_argument("--seconds", type=float, help="for each door; what comes first ends it")
    parser.add_argument("--cases", type=int, help="for each door")
    parser.add_argument("--items", type=int, help="records, frames or requests of each door")
    parser.add_argument("--seed", default="random")
    parser.add_argument("--case", type=int, help="only this one, of a seed")
    given = parser.parse_args()
    seed = secrets.token_hex(4) if given.seed == "random" else given.seed
    limits = (given.seconds, given.cases, given.items)
    seconds = given.seconds if any(limit is not None for limit in limits) else 600.0
    # A shell starts what runs in its background with this signal ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    fell = 0
    _say(f"seed {seed}")
    for name in given.doors:
        try:
            report = run(
                name,
                seed,
                cases=given.cases,
                seconds=seconds,
                least=given.items,
                only=given.case,
                tell=lambda report: _say(f"… {report}"),
            )
        except DoorFell as error:
            _say(f"{name} FELL: {error}")
            fell += 1
        else:
            _say(f"{report}, {'stopped' if report.stopped else 'held'}")
            if report.stopped:
                return 130
    return 1 if fell else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

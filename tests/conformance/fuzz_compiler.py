"""`python -m tests.conformance.fuzz_compiler --seconds 600 --seed N`: texts that break it?

Every text goes through `invariants.examine`. A finding is printed with its text; the same seed
gives the same texts.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from conformance.generate import Generator
from conformance.hostile import hostile
from conformance.invariants import examine

BATCH = 500


def main() -> int:
    """Run; returns 1 when there were findings."""
    parser = argparse.ArgumentParser(description="fuzz the compiler")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    asked = parser.parse_args()
    say(f"seed {asked.seed}")
    deadline = time.monotonic() + asked.seconds
    generator = Generator(asked.seed)
    texts = [text for text in (make() for make in hostile(3000).values()) if isinstance(text, str)]
    total = sound = 0
    findings: list[tuple[str, str]] = []
    while True:
        found, accepted = examine(texts, asked.seed)
        findings += found
        total, sound = total + len(texts), sound + accepted
        for what, text in found:
            say(f"{what}\n    {text[:2000]!r}")
        if time.monotonic() > deadline or len(findings) > 50:
            break
        texts = [generator.source() for _ in range(BATCH)]
    say(f"{total} texts, {sound} of them sound, {len(findings)} findings (seed {asked.seed})")
    return 1 if findings else 0


def say(text: str) -> None:
    """One line for the person at the terminal, whatever it holds."""
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

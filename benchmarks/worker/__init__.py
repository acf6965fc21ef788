"""`holdfast worker` at a plain Lightning, beside a built reference worker where one is given.

    python -m benchmarks worker [--only=spaced,lines] [--reference=FOLDER]

The platform answers as a Lightning does, strictly, and offers no extension. With a reference both
sides take turns, row by row, in one session, and the ratio is printed.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from benchmarks import yardstick
from benchmarks.bars import against, plain
from benchmarks.worker.rows import ROWS, Figure
from benchmarks.worker.side import ours, reference


def main(flags: list[str]) -> None:
    """All rows, or those named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks worker", description=__doc__)
    parser.add_argument("--only", default=",".join(ROWS), help="rows (all: %(default)s)")
    parser.add_argument("--reference", type=Path, help="a built checkout of the reference")
    given = parser.parse_args(flags)
    names = given.only.split(",")
    if unknown := set(names) - ROWS.keys():
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    asyncio.run(measure(names, given.reference))


async def measure(names: list[str], built: Path | None) -> None:
    """Row by row, ours first."""
    side = await ours()
    other = None if built is None else reference(built)
    for name in names:
        pace = yardstick.pace()
        mine = await ROWS[name](side)
        theirs = [] if other is None else await ROWS[name](other)
        for figure in mine:
            _say(figure, pace, next((one for one in theirs if one.text == figure.text), None))


def _say(figure: Figure, pace: float, other: Figure | None) -> None:
    if figure.bar is None:
        plain(figure.text, figure.value, figure.unit)
    else:
        pace = 1.0 if figure.unit == "MB" else pace  # a slow processor needs no more memory
        against(
            figure.text, figure.value, figure.bar, unit=figure.unit, least=figure.least, pace=pace
        )
    if other is not None:
        times = figure.value / other.value if figure.least else other.value / figure.value
        plain("  the reference", other.value, figure.unit)
        plain("  times better", times)

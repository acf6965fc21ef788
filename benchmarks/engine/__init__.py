"""What the engine costs, and how hard its limits are (issue 5, bars)."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.engine import figures


def main(arguments: Sequence[str] = ()) -> None:
    """Print all figures; see `python -m benchmarks.engine --help`."""
    figures.main(arguments)

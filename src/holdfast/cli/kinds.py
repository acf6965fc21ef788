"""Kinds of values on the command line that click does not have."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

from holdfast.paths import absolute


class Seconds(click.FloatRange):
    """A time above zero that a clock can measure: `nan` and `inf` are numbers to Python."""

    name = "seconds"

    def __init__(self, least: float = 0, *, least_excluded: bool = True) -> None:
        super().__init__(min=least, min_open=least_excluded, max=10_000_000)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a time.", param, ctx)
        return float(number)


class Place(click.Path):
    """A file or folder, as an absolute path (`holdfast.paths`). Every option for a path has it.

    The arguments are those of `click.Path`; with `allow_dash`, `-` stays `Path("-")`.
    """

    def __init__(self, **wanted: bool) -> None:
        super().__init__(path_type=Path, **wanted)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if str(value) != "-" or not self.allow_dash:
            try:
                value = absolute(value)
            except ValueError as error:
                self.fail(f"{error}.", param, ctx)
        return super().convert(value, param, ctx)


#: Of commands that read what a worker keeps.
worker_data_option = click.option(
    "--data",
    type=Place(),
    help="Data folder of the worker.  [HOLDFAST_DATA, ~/.holdfast]",
)

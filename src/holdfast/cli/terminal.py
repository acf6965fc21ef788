"""How every command shows something: foreign text never controls the terminal."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import click

from holdfast.model.visible import visible, visible_line


def echo(text: str, *, err: bool = False, **style: Any) -> None:
    """Write a line, with its control characters made visible; `style` is that of `click.style`."""
    click.secho(visible(text), err=err, **style)


def row(text: str, **style: Any) -> None:
    """The same for one entry of a list: foreign line feeds would look like further entries."""
    click.secho(visible_line(text), **style)


def note(text: str) -> None:
    """Write a line to standard error while work goes on, which ends for no reader that is gone."""
    with suppress(OSError):
        echo(text, err=True)

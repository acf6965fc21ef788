"""How every command shows something: foreign text never controls the terminal."""

from __future__ import annotations

from typing import Any

import click

from holdfast.model.visible import visible


def echo(text: str, *, err: bool = False, **style: Any) -> None:
    """Write a line, with its control characters made visible; `style` is that of `click.style`."""
    click.secho(visible(text), err=err, **style)

"""`holdfast pull-run`: one recorded run as one file, to be replayed anywhere."""

from __future__ import annotations

import os
from pathlib import Path

import click

from holdfast.bench.bundle import MOST_MB, Bundle, bundle_of
from holdfast.bench.bundle_file import write_bundle
from holdfast.cli import terminal
from holdfast.cli.journal import find
from holdfast.cli.kinds import Place
from holdfast.paths import data_folder


@click.command("pull-run")
@click.argument("run")
@click.option(
    "--data", type=Place(), help="Data folder of the worker.  [HOLDFAST_DATA, ~/.holdfast]"
)
@click.option("-o", "--output", type=Place(dir_okay=False), help="[default: run-ID.json]")
@click.option("--mask", multiple=True, metavar="FIELD", help="Mask fields of this name, too.")
@click.option(
    "--max-mb",
    type=click.FloatRange(min=0.01),
    default=MOST_MB,
    show_default=True,
    help="Leave the largest answers out beyond.",
)
def pull_run_command(
    run: str, data: Path | None, output: Path | None, mask: tuple[str, ...], max_mb: float
) -> None:
    """Write RUN (its id, or how that begins) as one file for `holdfast replay`.

    Its project must have agreed before: `record: true` in project.yaml. The file holds plan,
    code, input, versions of adaptors, requests and answers. Secrets are masked: those of
    credentials, and fields whose name says that they are one.

    \b
    holdfast pull-run 4f1c
    holdfast pull-run 4f1c -o failing.json --mask nationalId
    """
    folder = find(data_folder(os.environ, data), run)
    bundle = bundle_of(folder, most_mb=max_mb, marked=frozenset(mask))
    path = output or Path.cwd() / f"run-{bundle.run_id[:8]}.json"
    tell_written(bundle, path, write_bundle(bundle, path))


def tell_written(bundle: Bundle, path: Path, size: int) -> None:
    """Say what is in the file and what comes next."""
    words = f"{len(bundle.steps)} steps, {len(bundle.exchanges)} requests, {size / 1024:.0f} KB"
    terminal.echo(f"{path.name}: {words}", err=True)
    for note in bundle.notes:
        terminal.echo(f"  {note}", err=True, fg="yellow")
    terminal.echo(f"again: holdfast replay {path.name} --watch", err=True)

"""`holdfast doctor`: what this machine offers to runs, and what is missing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from holdfast.engine.doctor import Check, Report, examine

_DEFAULT = Path("~/.holdfast")


@click.command(
    "doctor",
    epilog="Exit codes: 0 runs can be executed, 2 they cannot. What is only weaker is no error.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Data folder.  [HOLDFAST_DATA, ~/.holdfast]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def doctor_command(context: click.Context, data: Path | None, as_json: bool) -> None:
    """Try every limit and isolation layer on this machine, as this user.

    \b
    holdfast doctor
    holdfast doctor --json | jq .level
    sudo -u worker holdfast doctor --data /var/lib/holdfast
    """
    folder = data or Path(os.environ.get("HOLDFAST_DATA") or _DEFAULT)
    report = examine(folder.expanduser().absolute())
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2))
    else:
        _print(report)
    context.exit(0 if report.works else 2)


def _print(report: Report) -> None:
    for check in report.checks:
        _line(check)
    click.echo(f"\nisolation: {click.style(report.level.name.lower(), bold=True)}")
    for layer in report.layers:
        _line(layer)


def _line(check: Check) -> None:
    sign = click.style("✔", fg="green") if check.good else click.style("✘", fg="yellow")
    click.echo(f"  {sign} {check.name:20} {check.text}")
    if check.fix is not None and not check.good:
        click.echo(f"    {'':20} → {check.fix}")

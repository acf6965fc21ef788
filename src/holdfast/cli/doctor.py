"""`holdfast doctor`: what this machine offers to runs, and what is missing."""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import click

from holdfast.cli.kinds import Place
from holdfast.engine.doctor import Check, Report, examine
from holdfast.engine.doctor import reach as judge
from holdfast.paths import data_folder
from holdfast.sandbox.egress import option_of
from holdfast.worker.config import DEFAULT_EGRESS


@click.command(
    "doctor",
    epilog="Exit codes: 0 runs can be executed, 2 they cannot. Weaker isolation alone is no error."
    " With --reach: 0 allowed, 2 refused.",
)
@click.option(
    "--data",
    type=Place(),
    help="Data folder.  [HOLDFAST_DATA, ~/.holdfast]",
)
@click.option("--require", metavar="LEVEL", help="Fail below basic, strong or full isolation.")
@click.option("--reach", metavar="HOST:PORT", help="Whether a run may connect there, and why.")
@click.option(
    "--egress",
    envvar="WORKER_EGRESS",
    default=DEFAULT_EGRESS,
    help=f"The policy to judge by.  [WORKER_EGRESS, {DEFAULT_EGRESS}]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def doctor_command(
    context: click.Context,
    *,
    data: Path | None,
    require: str | None,
    reach: str | None,
    egress: str,
    as_json: bool,
) -> None:
    """Try every limit and isolation layer on this machine, as this user.

    \b
    holdfast doctor
    holdfast doctor --json | jq .level
    sudo -u worker holdfast doctor --data /var/lib/holdfast
    holdfast doctor --require strong
    holdfast doctor --reach db.internal:5432 --egress lan
    """
    if reach is not None:
        _reach(context, reach, egress)
    report = examine(data_folder(os.environ, data), require)
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2))
    else:
        _print(report)
    context.exit(0 if report.works else 2)


def _reach(context: click.Context, target: str, egress: str) -> NoReturn:
    checks = judge(target, option_of(egress), _addresses)
    for check in checks:
        print_check(check)
    context.exit(0 if all(check.good for check in checks) else 2)


def _addresses(host: str) -> set[str]:
    with suppress(socket.gaierror, UnicodeError):
        return {str(item[4][0]).partition("%")[0] for item in socket.getaddrinfo(host, None)}
    return set()


def _print(report: Report) -> None:
    for check in report.checks:
        print_check(check)
    click.echo(f"\nisolation: {click.style(report.level.name.lower(), bold=True)}")
    for layer in report.layers:
        print_check(layer)


def print_check(check: Check) -> None:
    sign = click.style("✔", fg="green") if check.good else click.style("✘", fg="yellow")
    click.echo(f"  {sign} {check.name:20} {check.text}")
    if check.fix is not None and not check.good:
        click.echo(f"    {'':20} → {check.fix}")

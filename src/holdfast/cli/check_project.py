"""`holdfast check`: mistakes in code, edges and adaptors, found before anything runs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from holdfast.adaptors.location import default_store_root
from holdfast.adaptors.store import Store
from holdfast.checking.codecheck import Checker, Code
from holdfast.cli import terminal
from holdfast.cli.kinds import Place
from holdfast.cli.planfile import read_text
from holdfast.cli.projectcheck import Placed, check_project_code
from holdfast.diagnosis.adaptors import ADAPTORS
from holdfast.diagnosis.near import nearest
from holdfast.model.adaptor_name import PREFIX, full_name


@click.command("check", epilog="Exit codes: 0 nothing that must fail, 1 mistakes, 2 bad usage.")
@click.argument("file", type=Place(exists=True, dir_okay=False))
@click.option("-a", "--adaptor", multiple=True, help="Adaptor of a job, such as common@3.3.4.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def check_command(file: Path, adaptor: tuple[str, ...], *, as_json: bool) -> int:
    """Check FILE, a project or a job: syntax, names, arguments, `$`, conditions of edges.

    Nothing is run and nothing is installed. Names are checked against the adaptors that are
    installed here.

    \b
    holdfast check project.yaml
    holdfast check job.js -a http
    """
    store = Store(default_store_root(os.environ))
    if file.suffix in {".yaml", ".yml"}:
        _, found, absent = check_project_code(file, store)
    else:
        found, absent = _job(file, adaptor, store)
    if as_json:
        told = {"findings": [item.to_json() for item in found], "not_installed": sorted(absent)}
        terminal.echo(json.dumps(told, indent=2))
    else:
        show(found, absent)
        if not found:
            terminal.echo("no mistakes found", fg="green")
    return 1 if any(not item.warning for item in found) else 0


def _job(file: Path, adaptors: tuple[str, ...], store: Store) -> tuple[list[Placed], set[str]]:
    checker = Checker(store)
    code = Code(file.stem, read_text(file), tuple(full_name(name) for name in adaptors))
    found = [
        Placed(str(file), item.line or 1, f"job {file.stem}", item.diagnosis, item.warning)
        for item in checker.check([code])
    ]
    return found, checker.absent


def show(found: list[Placed], absent: set[str]) -> None:
    """Findings for a terminal, mistakes first."""
    for item in sorted(found, key=lambda one: one.warning):
        terminal.echo(item.row, err=True, fg="yellow" if item.warning else "red")
        src, column = (item.diagnosis.position.get(key) for key in ("src", "column"))
        if isinstance(src, str) and isinstance(column, int):
            terminal.echo(f"    {src}\n    {' ' * (column - 1)}^", err=True)
    for name in sorted(absent):
        said = f"{name} is not installed here: its names were not checked.{doubt(name)}"
        terminal.echo(said, err=True, dim=True)


def doubt(name: str) -> str:
    """Whether another adaptor was probably meant, in words; empty for one that is well known."""
    short = name.removeprefix(PREFIX).partition("@")[0]
    near = [] if short in ADAPTORS else nearest(short, ADAPTORS)
    return f" Is it {near[0]}?" if near else ""

"""`holdfast compile`: the module a job compiles to, or the report about it."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import click

from holdfast.adaptors.location import default_store_root
from holdfast.adaptors.specifier import Specifier
from holdfast.adaptors.store import Store
from holdfast.cli import terminal
from holdfast.cli.kinds import Place
from holdfast.cli.planfile import read_text
from holdfast.compiler import AdaptorExports, CompiledJob, CompileError, Source, compile_job
from holdfast.compiler.hoisting import HOIST_FROM
from holdfast.compiler.report import ADVICE_BYTES, CompileReport, size
from holdfast.engine.run.compile_process import peak_mb
from holdfast.engine.run.syntax import judge
from holdfast.model.adaptor_name import full_name
from holdfast.model.errors import UsageError


@click.command("compile")
@click.argument("job", type=Place(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "-a",
    "--adaptor",
    "adaptors",
    multiple=True,
    metavar="NAME[@VERSION]",
    help="Adaptor the job uses; may be given several times. `common` is short for "
    "@openfn/language-common.",
)
@click.option(
    "--exports",
    multiple=True,
    metavar="NAME=A,B,C",
    help="What an adaptor exports, where it is not installed.",
)
@click.option("--store", type=Place(), help="Where adaptors are installed.")
@click.option("--report", "as_report", is_flag=True, help="Show sizes, embedded data and advice.")
@click.option("--json", "as_json", is_flag=True, help="Show module and report as JSON.")
@click.option("--hoist", is_flag=True, help="Show the module as a run gets it, large data out.")
@click.option(
    "--advice-bytes",
    type=click.IntRange(min=1),
    default=ADVICE_BYTES,
    show_default=True,
    help="Embedded data from this size on is advised against.",
)
def compile_command(
    *,
    job: Path,
    adaptors: tuple[str, ...],
    exports: tuple[str, ...],
    store: Path | None,
    as_report: bool,
    as_json: bool,
    hoist: bool,
    advice_bytes: int,
) -> None:
    """Compile JOB (a file, or - for standard input) and show the module.

    Nothing is run and nothing is installed.

    \b
    holdfast compile job.js -a common
    holdfast compile job.js --report       sizes, embedded data, what belongs in a Collection
    holdfast compile - --json < job.js
    """
    text = Source.of(sys.stdin.read() if job == Path("-") else read_text(job))
    known = _exports(adaptors, exports, store or default_store_root(os.environ))
    started = time.process_time()
    try:
        compiled = compile_job(
            text,
            known,
            name=job.name if job != Path("-") else "job",
            hoist_from=HOIST_FROM if hoist or as_report else None,
            advice_bytes=advice_bytes,
        )
        compiled = compiled.measured(round(time.process_time() - started, 4), peak_mb())
        (error,) = judge([compiled])
        if error is not None:
            raise error
    except CompileError as error:
        raise UsageError(error.description, fix=error.fix) from None
    if as_json:
        terminal.echo(_as_json(compiled))
    elif as_report:
        for line in report_lines(compiled.report):
            terminal.echo(line)
    else:
        for piece in compiled.code_pieces():
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.write(b"\n")
        sys.stdout.buffer.flush()


def _exports(
    adaptors: tuple[str, ...], exports: tuple[str, ...], root: Path
) -> list[AdaptorExports]:
    """What the adaptors export: as said, else as installed, else unknown."""
    said: dict[str, list[str]] = {}
    for text in exports:
        name, mark, names = text.partition("=")
        if not mark:
            message = f"--exports wants NAME=A,B,C, not {text!r}"
            raise UsageError(message)
        said[full_name(name)] = [word.strip() for word in names.split(",") if word.strip()]
    wanted = [Specifier.parse(full_name(text)) for text in adaptors]
    named = {item.name for item in wanted}
    wanted += [Specifier.parse(name) for name in said if name not in named]
    records = [record for _, record in Store(root).installed()] if wanted else []
    found = []
    for item in wanted:
        fitting = [
            record
            for record in records
            if record.name == item.name and item.version in {None, "latest", record.version}
        ]
        installed = list(fitting[-1].exports) if fitting else []
        operations = list(fitting[-1].operations) if fitting else []
        if not installed and item.name not in said:
            terminal.echo(f"{item} is not installed: its exports are guessed.", err=True)
        given = said.get(item.name, installed)
        found.append(AdaptorExports(item.name, given, operations=operations))
    return found


def _as_json(compiled: CompiledJob) -> str:
    return json.dumps(
        {
            "code": compiled.code,
            "operations": [item.to_json() for item in compiled.operations],
            "edits": compiled.edits,
            "report": compiled.report.to_json(),
        }
    )


def report_lines(report: CompileReport) -> list[str]:
    """The report as a table."""
    lines = [
        f"Step         {report.name}",
        f"Source       {size(report.source_bytes)}, {report.operations} operations",
        f"Module       {size(report.module_bytes)}"
        + (f" and {size(report.hoisted_bytes)} of data beside it" if report.hoisted_bytes else ""),
        f"Compiled in  {(report.seconds or 0) * 1000:.0f} ms"
        + (f", at most {report.peak_mb:.0f} MB of memory in use" if report.peak_mb else ""),
        f"To load      about {report.forecast_mb:.1f} MB of memory",
    ]
    for adaptor, names in report.imports.items():
        lines.append(f"Imports      {', '.join(names)} from {adaptor}")
    if report.data:
        lines += ["", f"{'Embedded data':<32} {'size':>10} {'literals':>9}  lines"]
    for item in report.largest(20):
        place = f"{item.first_line}–{item.last_line}"
        lines.append(f"{item.name:<32} {size(item.bytes):>10} {item.literals:>9}  {place}")
    for line in (*report.warnings, *report.advice()):
        lines += ["", line]
    return lines

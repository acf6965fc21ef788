"""`holdfast run`: execute a job or a workflow here and now, through the same engine."""

from __future__ import annotations

import asyncio
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import click

from holdfast.bench.bundle import bundle_of
from holdfast.bench.bundle_file import write_bundle
from holdfast.bench.changes import changes_of
from holdfast.cli import runlog, terminal
from holdfast.cli.follower import Follower, pretty
from holdfast.cli.given import Given
from holdfast.cli.kinds import Place, Seconds
from holdfast.cli.pullrun import tell_written
from holdfast.cli.stage import Stage, Standby, perform, stage
from holdfast.cli.watched import Watched
from holdfast.engine.client import RunRequest, attended, prepare_run
from holdfast.model.errors import UsageError
from holdfast.model.json import JsonObject
from holdfast.model.limits import Limits
from holdfast.model.outcome import Reason
from holdfast.platform.project.source import ProjectFileError
from holdfast.sandbox import folders

#: Exit code of each reason; bad usage is 2.
EXIT_CODES = {Reason.SUCCESS: 0, Reason.FAIL: 1}
KILLED_OR_CRASHED = 3
#: Lines of differences that are shown after a save.
_LINES = 20


@dataclass(frozen=True, slots=True)
class Order:
    """How the person wants it run and told."""

    limits: Limits
    egress: str
    process_per_step: bool
    log_filter: str
    as_json: bool
    record: Path | None = None
    output: Path | None = None


def _check_output(option: str, path: Path) -> None:
    """Say before the run that its result could not be written. Raises UsageError."""
    folder = path if path.is_dir() else path.parent
    if path.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        cause = "is a folder" if path.is_dir() else "cannot be written"
        cause = cause if folder.is_dir() else f"the folder {folder} does not exist"
        message = f"{option} {path}: {cause}"
        raise UsageError(message, fix="Name a file in a folder that exists and is yours.")


async def execute(
    plan: JsonObject, credentials: JsonObject, state: JsonObject, order: Order, here: Stage
) -> Follower:
    """Run it once in a process of its own, and show what happens as it happens."""
    run_id = str(uuid.uuid4())
    options: JsonObject = {
        "run_id": run_id,
        "egress": order.egress,
        "adaptors": await here.install(plan),
    }
    wanted = cast("JsonObject", plan["options"]).get("process_per_step") is True
    options["process_per_step"] = order.process_per_step or wanted
    if order.record is not None:
        options["record"] = True
    folder = prepare_run(here.journals, run_id, plan, state)
    follower = Follower(folder, order.log_filter, order.as_json)
    handle = await here.engine.launch(
        RunRequest(folder.path, run_id, order.limits, credentials, options)
    )
    try:
        await attended(handle, follower.follow(handle))
    except asyncio.CancelledError:
        if follower.outcome is not None:  # told to end twice, nobody waits for it
            follower.tell_end()
        raise
    if order.record is not None:
        bundle = bundle_of(folder, untaped=True)
        tell_written(bundle, order.record, write_bundle(bundle, order.record))
    return follower


async def _once(given: Given, order: Order) -> Follower:
    plan, credentials = given.plan()
    state = given.input()
    async with stage() as here:
        return await execute(plan, credentials, state, order, here)


async def _watch(given: Given, order: Order) -> None:
    """Run now and after each change of the files, until the person ends it."""
    last: str | None = None
    async with stage(standby=Standby(order.limits.memory_mb, order.egress)) as here:
        while True:
            made = (order.record, order.output)
            watched = Watched.look(path for path in given.files() if path not in made)
            try:
                follower = await execute(*given.plan(), given.input(), order, here)
            except (UsageError, ProjectFileError) as error:  # a file that was saved half done
                terminal.echo(f"error: {error.message}", err=True, fg="red")
            else:
                _tell_again(follower, last, order)
                folders.remove(follower.folder.path)  # each save makes one
                last = follower.final_state or last
            await watched.saved()


def _tell_again(follower: Follower, last: str | None, order: Order) -> None:
    """The final state at first, later what is different in it."""
    now = follower.final_state
    if now is None or last is None or order.output is not None:
        _tell(follower, order)
        return
    lines = changes_of(last, now)
    for line in lines[:_LINES]:
        terminal.echo(line)
    if len(lines) > _LINES:
        terminal.echo(f"… {len(lines) - _LINES} more")
    if not lines:
        terminal.echo("the same final state")
    follower.tell_end()


def _tell(follower: Follower, order: Order) -> None:
    """The final state, then why the run did not succeed."""
    if follower.final_state is not None:
        text = pretty(follower.final_state)
        if order.output is None:
            terminal.echo(text)
        else:
            order.output.write_text(text + "\n", encoding="utf-8")
    follower.tell_end()


@click.command(
    "run",
    epilog="Exit codes: 0 success, 1 the job failed, 2 bad usage, 3 killed or crashed.",
)
@click.argument("file", type=Place())
@click.option("-a", "--adaptor", multiple=True, help="Adaptor of a job, such as common@3.3.4.")
@click.option("-i", "--input", "state", default="{}", help="State: JSON, @FILE, or - for stdin.")
@click.option("-o", "--output", type=Place(), help="Write the state to FILE.")
@click.option("--start", help="Id of the first step (default: the workflow's).")
@click.option("--end", help="Id of the last step.")
@click.option("--timeout", type=Seconds(), default=300, show_default=True, help="Per run.")
@click.option("--memory", type=int, default=500, show_default=True, help="Mebibytes per run.")
@click.option(
    "--egress",
    type=click.Choice(["open", "lan", "public", "none"]),
    default="open",
    show_default=True,
    help="What the run may reach: everything, public and private networks, the public internet,"
    " nothing.",
)
@click.option(
    "--process-per-step",
    is_flag=True,
    help="Each step in a process of its own, with the credential of that step only.",
)
@click.option(
    "--log",
    type=click.Choice(list(runlog.FILTERS)),
    default="info",
    show_default=True,
    help="Lines from this level on.",
)
@click.option("--json", "as_json", is_flag=True, help="Every event as a JSON line on stderr.")
@click.option(
    "--record",
    type=Place(dir_okay=False),
    metavar="RUN.json",
    help="Write the run with all answers as a file for `holdfast replay`.",
)
@click.option("--watch", is_flag=True, help="Run again whenever a file of it is saved.")
@click.option("--workflow", help="Which workflow of a project file.")
@click.option(
    "--credentials",
    type=Place(),
    help="YAML file: for each credential key, a map with its secret values.",
)
def run_command(
    *,
    file: Path,
    adaptor: tuple[str, ...],
    state: str,
    output: Path | None,
    start: str | None,
    end: str | None,
    timeout: float,
    memory: int,
    egress: str,
    process_per_step: bool,
    log: str,
    as_json: bool,
    record: Path | None,
    watch: bool,
    workflow: str | None,
    credentials: Path | None,
) -> int:
    """Execute the job, workflow or project in FILE and print its final state.

    Log lines go to standard error, the final state to standard output. With --watch it runs again
    after each save and shows what changed in the final state. Every time its requests are made
    for real; `holdfast replay --watch` makes none.

    \b
    holdfast run job.js -a @openfn/language-common -i '{"data": {"n": 1}}'
    holdfast run workflow.json -i @patients.json -o result.json
    holdfast run workflow.yaml --start map --log debug
    holdfast run project.yaml --credentials secrets.yaml
    holdfast run job.js -a common -i @state.json --watch
    """
    for option, place in (("--output", output), ("--record", record)):
        if place is not None:
            _check_output(option, place)
    limits = Limits(memory_mb=memory, timeout_seconds=timeout)
    order = Order(limits, egress, process_per_step, log, as_json, record, output)
    given = Given(file, adaptor, state, start, end, workflow, credentials)
    if watch:
        perform(_watch(given, order))
        return 0
    follower = perform(_once(given, order))
    _tell(follower, order)
    assert follower.outcome is not None, "it has been followed to its end"
    return EXIT_CODES.get(follower.outcome.reason, KILLED_OR_CRASHED)

"""`holdfast run`: execute a job or a workflow here and now, through the same engine."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import tempfile
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import click

from holdfast.adaptors.errors import AutoinstallError
from holdfast.adaptors.events import Event, InstallEvent
from holdfast.adaptors.location import default_store_root
from holdfast.adaptors.store import Store
from holdfast.bench.bundle import bundle_of
from holdfast.bench.bundle_file import write_bundle
from holdfast.cli import runlog, terminal
from holdfast.cli.kinds import Place, Seconds
from holdfast.cli.planfile import (
    check_step,
    pin_adaptors,
    plan_adaptors,
    read_plan,
    read_text,
)
from holdfast.cli.projectplan import is_project, project_plan, read_credentials
from holdfast.cli.pullrun import tell_written
from holdfast.diagnosis.diagnose import rows
from holdfast.diagnosis.ending import Diagnosis, read_diagnosis
from holdfast.engine.client import RunRequest, prepare_run, start_supervisor
from holdfast.journal.blobs import blob_path
from holdfast.journal.folder import RunFolder
from holdfast.journal.reader import JournalReader
from holdfast.journal.record import Record
from holdfast.model.errors import UsageError
from holdfast.model.json import JsonObject, nests_deeper, parse_document
from holdfast.model.limits import Limits
from holdfast.model.outcome import Outcome, Reason
from holdfast.model.record import Kind
from holdfast.paths import absolute
from holdfast.worker.options import paths

#: Exit code of each reason; bad usage is 2.
EXIT_CODES = {Reason.SUCCESS: 0, Reason.FAIL: 1}
KILLED_OR_CRASHED = 3


@dataclass(frozen=True, slots=True)
class Order:
    """How the person wants it run and told."""

    limits: Limits
    egress: str
    process_per_step: bool
    log_filter: str
    as_json: bool
    record: Path | None = None


@dataclass
class Follower:
    """What the run's journal has told so far."""

    folder: RunFolder
    order: Order
    result: JsonObject | None = None
    outcome: Outcome | None = None
    diagnosis: Diagnosis | None = None
    final_state: str | None = None

    def see_all(self, records: Iterable[Record]) -> None:
        """Take in records; log lines go to standard error as they come."""
        for record in records:
            self._see(record)

    def _see(self, record: Record) -> None:
        if self.order.as_json:
            head = {"sequence": record.sequence, "kind": Kind(record.kind).name.lower()}
            terminal.echo(json.dumps({**head, **record.json()}), err=True)
        elif record.kind == Kind.LOG:
            line = record.json()
            if runlog.shown(line, self.order.log_filter) and not runlog.is_verdict(line):
                runlog.show(line)
        if record.kind == Kind.RESULT:
            self.result = record.json()
        elif record.kind == Kind.OUTCOME:
            self.outcome = Outcome.from_json(record.json())
            if isinstance(found := record.json().get("diagnosis"), dict):
                self.diagnosis = read_diagnosis(found)

    def keep_final_state(self) -> None:
        """Read the final state's JSON text before its folder goes."""
        document = (self.result or {}).get("final_state")
        if not isinstance(document, dict):
            return
        if "blob" in document:
            blob = blob_path(self.folder.path, str(document["blob"]))
            self.final_state = blob.read_text(encoding="utf-8")
        elif "inline" in document:
            self.final_state = str(document["inline"])


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"standard input: not UTF-8 text (byte {error.start})"
        raise UsageError(message) from None


def _check_output(option: str, path: Path) -> None:
    """Say before the run that its result could not be written. Raises UsageError."""
    folder = path if path.is_dir() else path.parent
    if path.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        cause = "is a folder" if path.is_dir() else "cannot be written"
        cause = cause if folder.is_dir() else f"the folder {folder} does not exist"
        message = f"{option} {path}: {cause}"
        raise UsageError(message, fix="Name a file in a folder that exists and is yours.")


def parse_input(text: str) -> JsonObject:
    """JSON text, `@file`, or `-` for standard input. Raises UsageError naming the place."""
    place = "--input"
    if text == "-":
        place, text = "standard input", _standard_input()
    elif text.startswith("@"):
        place, text = text[1:], read_text(absolute(text[1:]))
    try:
        state = parse_document(text)
    except json.JSONDecodeError as error:
        message = f"{place}:{error.lineno}:{error.colno}: not JSON: {error.msg}"
        raise UsageError(message, fix="""Example: --input '{"data": {}}'""") from None
    except ValueError as error:
        message = f"{place}: not JSON: {error}"
        raise UsageError(message) from None
    if not isinstance(state, dict):
        message = f"{place}: the state is an object, not {type(state).__name__}"
        raise UsageError(message, fix="""Example: --input '{"data": []}'""")
    return state


def progress(event: InstallEvent) -> None:
    """Say what takes long; what is there already costs no line."""
    words = {Event.INSTALLING: "installing", Event.RETRYING: "trying again to install"}
    if event.event in words:
        terminal.echo(f"{words[event.event]} {event.specifier} …", err=True, dim=True)


async def install(plan: JsonObject, store: Store) -> JsonObject:
    """Make the plan's adaptors ready and pin them in it; the engine's `adaptors` option."""
    try:
        pinned = {name: await store.resolve(name) for name in plan_adaptors(plan)}
        pin_adaptors(plan, pinned)
        installed = await store.ensure(pinned.values(), on_event=progress)
    except AutoinstallError as error:
        raise UsageError(error.message, fix=error.fix) from None
    return {name: adaptor.to_option() for name, adaptor in installed.items()}


async def execute(
    plan: JsonObject, state: JsonObject, order: Order, credentials: JsonObject | None = None
) -> Follower:
    """Run the plan in a process of its own, and show what happens as it happens."""
    store = Store(
        default_store_root(os.environ), monorepos=paths(os.environ.get("OPENFN_ADAPTORS_REPO", ""))
    )
    adaptors = await install(plan, store)
    with tempfile.TemporaryDirectory(prefix="holdfast-run-") as temporary:
        data = Path(temporary)
        run_id = str(uuid.uuid4())
        (data / "journals").mkdir(mode=0o700)
        folder = prepare_run(data / "journals", run_id, plan, state)
        options: JsonObject = {"run_id": run_id, "egress": order.egress, "adaptors": adaptors}
        wanted = cast("JsonObject", plan["options"]).get("process_per_step") is True
        options["process_per_step"] = order.process_per_step or wanted
        if order.record is not None:
            options["record"] = True
        request = RunRequest(folder.path, run_id, order.limits, credentials or {}, options)
        follower = Follower(folder, order)
        async with start_supervisor(
            data, configure=lambda config: replace(config, store=store.root)
        ) as engine:
            handle = await engine.launch(request)
            asyncio.get_running_loop().add_signal_handler(
                signal.SIGINT, lambda: asyncio.ensure_future(handle.cancel("interrupted"))
            )
            with JournalReader(folder.journal) as reader:
                async for sequence in handle.progress():
                    follower.see_all(reader.read(sequence))
                await handle.outcome()
                follower.see_all(reader.read())
        follower.keep_final_state()
        if order.record is not None:
            bundle = bundle_of(folder, untaped=True)
            tell_written(bundle, order.record, write_bundle(bundle, order.record))
        return follower


def _plan(
    file: Path, adaptors: tuple[str, ...], workflow: str | None, credentials: Path | None
) -> tuple[JsonObject, JsonObject]:
    """The plan, and the credentials by step. Raises UsageError."""
    if is_project(file):
        return project_plan(file, workflow, credentials)
    if workflow is not None:
        message = "--workflow goes with a project file, which has `workflows`"
        raise UsageError(message)
    plan = read_plan(file, adaptors)
    secrets = read_credentials(credentials)
    steps = cast("list[JsonObject]", cast("JsonObject", plan["workflow"])["steps"])
    if len(secrets) == 1 and len(steps) == 1:
        return plan, {str(steps[0].get("id") or "job-1"): next(iter(secrets.values()))}
    names = {str(step.get("id") or f"job-{place}") for place, step in enumerate(steps, 1)}
    if unknown := sorted(set(secrets) - names):
        message = f"{credentials}: no step has the id {', '.join(unknown)}"
        raise UsageError(message, fix=f"The steps are: {', '.join(sorted(names))}.")
    return plan, {**secrets}


def _pretty(document: str) -> str:
    """The state for people; as it came where it is nested deeper than we read."""
    if nests_deeper(document):
        return document
    text = json.dumps(json.loads(document), indent=2, ensure_ascii=False)
    # half a surrogate pair is text to JavaScript and to JSON, but not to UTF-8
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)


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
    workflow: str | None,
    credentials: Path | None,
) -> int:
    """Execute the job, workflow or project in FILE and print its final state.

    Log lines go to standard error, the final state to standard output.

    \b
    holdfast run job.js -a @openfn/language-common -i '{"data": {"n": 1}}'
    holdfast run workflow.json -i @patients.json -o result.json
    holdfast run workflow.yaml --start map --log debug
    holdfast run project.yaml --credentials secrets.yaml
    """
    for option, place in (("--output", output), ("--record", record)):
        if place is not None:
            _check_output(option, place)
    plan, secrets = _plan(file, adaptor, workflow, credentials)
    for option, step in (("--start", start), ("--end", end)):
        if step is not None:
            check_step(plan, option, step)
    given = cast("JsonObject", plan["options"])
    given.update({key: value for key, value in (("start", start), ("end", end)) if value})
    limits = Limits(memory_mb=memory, timeout_seconds=timeout)
    order = Order(limits, egress, process_per_step, log, as_json, record)
    follower = asyncio.run(execute(plan, parse_input(state), order, secrets))
    if follower.final_state is not None:
        pretty = _pretty(follower.final_state)
        if output is None:
            terminal.echo(pretty)
        else:
            output.write_text(pretty + "\n", encoding="utf-8")
    outcome = follower.outcome
    assert outcome is not None, "a journal ends with an outcome"
    if outcome.reason is not Reason.SUCCESS:
        words = f"{outcome.reason.value}: {outcome.error_type}: {outcome.error_message}"
        terminal.echo(words, err=True, fg="red")
        if follower.diagnosis is not None and not as_json:
            terminal.echo("", err=True)
            for row in rows(follower.diagnosis):
                terminal.echo(row, err=True)
            terminal.echo(f"more: holdfast explain {follower.diagnosis.code}", err=True)
    return EXIT_CODES.get(outcome.reason, KILLED_OR_CRASHED)

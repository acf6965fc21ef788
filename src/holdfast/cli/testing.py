"""`holdfast test`: run the test cases of a project, several at a time, in the same sandbox."""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from xml.etree import ElementTree

import click

from holdfast.bench.bundle_file import read_bundle
from holdfast.cli import terminal
from holdfast.cli.casefile import Case, read_cases
from holdfast.cli.casejudge import Seen, judged
from holdfast.cli.casewriter import write_case
from holdfast.cli.kinds import Place, Seconds
from holdfast.cli.mockserver import Mock, places
from holdfast.cli.mockserver import Place as MockPlace
from holdfast.cli.projectplan import project_plan
from holdfast.cli.stage import Standby, perform, stage
from holdfast.engine.client import Engine, RunRequest, attended, prepare_run
from holdfast.journal.reader import JournalReader
from holdfast.model.adaptor_name import COLLECTIONS
from holdfast.model.errors import UsageError
from holdfast.model.json import Json, JsonObject
from holdfast.model.limits import Limits

#: In credentials and inputs of a case: the address of the server that answers its requests.
MOCK = "MOCK"
#: Cases for each that runs at a time, above which a process waits and others are its copies.
_FEW = 4


@dataclass(frozen=True, slots=True)
class Bench:
    """What all cases share: the engine, its folder, installed adaptors, limits of a run.

    `egress`: what a case may reach that has requests.
    """

    engine: Engine
    data: Path
    adaptors: JsonObject
    limits: Limits
    egress: Json


@dataclass(frozen=True, slots=True)
class Ran:
    """One case that was run: what was wrong, and what it covered."""

    case: Case
    seconds: float
    wrong: list[str]
    seen: Seen


@click.command("test", epilog="Exit codes: 0 all passed, 1 a case failed, 2 bad usage.")
@click.argument("files", nargs=-1, type=Place(exists=True))
@click.option("--project", type=Place(exists=True, dir_okay=False), help="[default: project.yaml]")
@click.option("-k", "chosen", help="Only cases whose name has this in it.")
@click.option("--junit", type=Place(dir_okay=False), help="Write the results as JUnit XML.")
@click.option("--timeout", type=Seconds(), default=30, show_default=True, help="Per case.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.option(
    "--from-run",
    type=Place(exists=True, dir_okay=False),
    metavar="RUN.json",
    help="Write a case from a recorded run (`holdfast pull-run`) instead of running any.",
)
@click.option("--name", help="Name of the case that is written.  [default: the run's id]")
def test_command(
    files: tuple[Path, ...],
    project: Path | None,
    chosen: str | None,
    junit: Path | None,
    timeout: float,
    *,
    as_json: bool,
    from_run: Path | None,
    name: str | None,
) -> int:
    """Run the cases in FILES (default: tests/*.yaml beside project.yaml).

    Runs reach nothing but the answers that a case tells of.

    \b
    holdfast test
    holdfast test cases.yaml -k people --junit results.xml
    holdfast test --from-run run-4f1c2a90.json --name recorded
    """
    project = project or Path.cwd() / "project.yaml"
    if from_run is not None:
        written = write_case(read_bundle(from_run), project, name, timeout)
        terminal.echo(f"{written} written; `holdfast test` runs it")
        return 0
    found = _cases(files or tuple(sorted(project.parent.glob("tests/*.y*ml"))), chosen)
    started = time.monotonic()
    plans = {
        name: project_plan(project, name or None, None)[0] for name in {c.workflow for c in found}
    }
    ran = perform(_run_all(found, plans, Limits(timeout_seconds=timeout)))
    if junit is not None:
        junit.write_bytes(_junit(ran))
    if as_json:
        terminal.echo(json.dumps([_told(item) for item in ran], indent=2))
    else:
        _show(ran, plans, time.monotonic() - started)
    return 1 if any(item.wrong for item in ran) else 0


def _cases(files: Sequence[Path], chosen: str | None) -> list[Case]:
    found = [case for file in files for case in read_cases(file)]
    found = [case for case in found if chosen is None or chosen in case.name]
    if not found:
        message = "there are no test cases" + (f" with {chosen} in their name" if chosen else "")
        raise UsageError(message, fix="Write them into tests/*.yaml; `holdfast init` shows how.")
    return found


async def _run_all(cases: list[Case], plans: dict[str, JsonObject], limits: Limits) -> list[Ran]:
    at_once = max(2, os.cpu_count() or 2)
    ready = Standby(limits.memory_mb) if len(cases) > _FEW * at_once else None
    async with stage(standby=ready) as here:
        adaptors: JsonObject = {}
        for plan in plans.values():
            adaptors.update(await here.install(plan))
        with places(min(at_once, len(cases))) as taken:
            free: asyncio.Queue[MockPlace] = asyncio.Queue()
            for place in taken:
                free.put_nowait(place)
            egress: Json = {"allow": [f"127.0.0.1:{place.port}" for place in taken]}
            bench = Bench(here.engine, here.data, adaptors, limits, egress)

            async def one(case: Case) -> Ran:
                place = await free.get()
                try:
                    with place.play(case.requests) as mock:
                        return await _run_one(case, plans[case.workflow], bench, mock)
                finally:
                    free.put_nowait(place)

            return list(await asyncio.gather(*map(one, cases)))


async def _run_one(case: Case, plan: JsonObject, bench: Bench, mock: Mock) -> Ran:
    started = time.monotonic()
    run_id = str(uuid.uuid4())
    given = cast("JsonObject", plan["options"])
    asked = {key: item for key, item in (("start", case.start), ("end", case.end)) if item}
    whole: JsonObject = {**plan, "options": {**given, **asked}}
    state = cast("JsonObject", _addressed(case.input, mock.address))
    folder = prepare_run(bench.data / "journals", run_id, whole, state)
    egress: Json = bench.egress if case.requests else "none"
    options: JsonObject = {"run_id": run_id, "egress": egress, "adaptors": bench.adaptors}
    if case.requests:  # also those to addresses of other systems
        options["replay"] = {"recording": {"host": "127.0.0.1", "port": mock.port}}
    secrets = _secrets(case, plan, mock.address)
    request = RunRequest(folder.path, run_id, bench.limits, secrets, options)
    handle = await bench.engine.launch(request)
    await attended(handle, handle.outcome())
    seen = Seen(folder.path)
    with JournalReader(folder.journal) as reader:
        seen.take(reader.read())
    wrong = judged(case, seen, mock.unknown, mock.missing())
    return Ran(case, time.monotonic() - started, wrong, seen)


def _secrets(case: Case, plan: JsonObject, address: str) -> JsonObject:
    """What each step gets as its credential: the case's, and what a platform adds to it."""
    found = cast("JsonObject", _addressed(case.credentials, address))
    for step in cast("list[JsonObject]", cast("JsonObject", plan["workflow"])["steps"]):
        if any(
            str(name).startswith(COLLECTIONS)
            for name in cast("list[str]", step.get("adaptors") or [])
        ):
            key = str(step["id"])
            place = {"collections_endpoint": f"{address}/collections", "collections_token": "none"}
            found[key] = {**place, **cast("JsonObject", found.get(key) or {})}
    return found


def _addressed(value: Json, address: str) -> Json:
    if isinstance(value, str):
        return value.replace(MOCK, address)
    if isinstance(value, list):
        return [_addressed(item, address) for item in value]
    if isinstance(value, dict):
        return {key: _addressed(item, address) for key, item in value.items()}
    return value


def _show(ran: list[Ran], plans: dict[str, JsonObject], seconds: float) -> None:
    for item in ran:
        name = f"{item.case.file.name}: {item.case.name}"
        mark, colour = ("FAILED", "red") if item.wrong else ("ok", "green")
        terminal.echo(f"{mark:<7}{name} ({item.seconds * 1000:.0f} ms)", fg=colour)
        for row in item.wrong:
            terminal.echo(f"       {row}")
    failed = sum(bool(item.wrong) for item in ran)
    terminal.echo(f"{len(ran) - failed} passed, {failed} failed in {seconds:.1f} s")
    for name, plan in plans.items():
        mine = [item for item in ran if item.case.workflow == name]
        terminal.echo(_coverage(plan, mine), dim=True)


def _coverage(plan: JsonObject, ran: list[Ran]) -> str:
    """How many steps and edges of a workflow the cases went through, and which they left out."""
    workflow = cast("JsonObject", plan["workflow"])
    steps = cast("list[JsonObject]", workflow["steps"])
    ids = [str(step["id"]) for step in steps]
    edges = {(str(step["id"]), to) for step in steps for to in cast("JsonObject", step["next"])}
    done = {step for item in ran for step in item.seen.path}
    taken = {edge for item in ran for edge in item.seen.edges}
    left = [step for step in ids if step not in done]
    left += [f"{source} > {target}" for source, target in sorted(edges - taken)]
    words = (
        f"{len(done & set(ids))} of {len(ids)} steps, {len(taken & edges)} of {len(edges)} edges"
    )
    return f"{workflow['name']}: {words}" + (f"; not covered: {', '.join(left)}" if left else "")


def _told(item: Ran) -> JsonObject:
    return {
        "file": str(item.case.file),
        "name": item.case.name,
        "passed": not item.wrong,
        "wrong": [*item.wrong],
        "path": [*item.seen.path],
        "milliseconds": round(item.seconds * 1000),
    }


def _junit(ran: list[Ran]) -> bytes:
    failed = sum(bool(item.wrong) for item in ran)
    suite = ElementTree.Element(
        "testsuite", name="holdfast", tests=str(len(ran)), failures=str(failed)
    )
    for item in ran:
        case = ElementTree.SubElement(
            suite, "testcase", classname=item.case.file.stem, name=item.case.name,
            time=f"{item.seconds:.3f}",
        )  # fmt: skip
        if item.wrong:
            failure = ElementTree.SubElement(case, "failure", message=item.wrong[0])
            failure.text = "\n".join(item.wrong)
    text: bytes = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
    return text

"""`holdfast replay`: a recorded run again, offline, with the code as it was or as it is now."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import click

from holdfast.bench.bundle import Bundle
from holdfast.bench.bundle_file import read_bundle
from holdfast.bench.replaying import Change, Replayed, Stage, compared, replay
from holdfast.cli import terminal
from holdfast.cli.kinds import Place, Seconds
from holdfast.cli.replaycode import Code, code_of, step_named
from holdfast.cli.stage import Standby, perform, stage
from holdfast.cli.watched import Watched
from holdfast.diagnosis.diagnose import rows
from holdfast.diagnosis.ending import read_diagnosis
from holdfast.model.errors import UsageError
from holdfast.model.json import JsonObject
from holdfast.model.limits import Limits
from holdfast.platform.project.source import ProjectFileError

#: Lines of differences that are shown for one step.
_LINES = 20


@click.command("replay", epilog="Exit codes: 0 the same outputs, 1 others, 2 bad usage.")
@click.argument("file", type=Place(exists=True, dir_okay=False))
@click.option("--step", help="Only this step, with the input that it had.")
@click.option("--project", type=Place(exists=True, dir_okay=False), help="Code of this project.")
@click.option("--code", type=Place(dir_okay=False), help="Code of the one step that is replayed.")
@click.option("--edit", is_flag=True, help="Open the step's code in an editor first.")
@click.option("--watch", is_flag=True, help="Replay again whenever the code is saved.")
@click.option("--timeout", type=Seconds(), default=60, show_default=True, help="Per replay.")
@click.option("--json", "as_json", is_flag=True, help="Print each replay as JSON.")
def replay_command(
    *,
    file: Path,
    step: str | None,
    project: Path | None,
    code: Path | None,
    edit: bool,
    watch: bool,
    timeout: float,
    as_json: bool,
) -> int:
    """Run the recorded run in FILE again: same sandbox, same answers, same clock and chance.

    Without other code its outputs are the same, byte for byte. With code of a project, of a file
    or from an editor it shows what the new code makes otherwise, and what it asks otherwise.

    \b
    holdfast replay run-4f1c2a90.json
    holdfast replay run-4f1c2a90.json --project project.yaml --watch
    holdfast replay run-4f1c2a90.json --edit
    """
    bundle = read_bundle(file)
    only = None if step is None else step_named(bundle, step)
    source = code_of(bundle, file, only=only, project=project, code=code, edit=edit, watch=watch)
    if edit and source.files:
        click.edit(filename=str(source.files[0]))
    limits = Limits(timeout_seconds=timeout)

    def tell(found: Replayed) -> bool:
        changes = compared(bundle, found.made, only)
        same = all(change.same for change in changes)
        if as_json:
            terminal.echo(json.dumps(_told(found, changes)))
        else:
            _show(found, changes, names_of(bundle.plan))
        return same

    if watch:
        perform(_watch(bundle, source, limits, only, tell))
        return 0
    return 0 if tell(perform(_once(bundle, source, limits, only))) else 1


async def _once(bundle: Bundle, source: Code, limits: Limits, only: int | None) -> Replayed:
    async with staged(bundle, limits) as here:
        return await replay(bundle, here, code=source.read(), only=only)


async def _watch(
    bundle: Bundle,
    source: Code,
    limits: Limits,
    only: int | None,
    tell: Callable[[Replayed], bool],
) -> None:
    """Replay now and after each change of the files, until the person ends it."""
    async with staged(bundle, limits, standby=Standby(limits.memory_mb)) as here:
        while True:
            watched = Watched.look(source.files)
            try:
                tell(await replay(bundle, here, code=source.read(), only=only))
            except (UsageError, ProjectFileError) as error:  # a file that was saved half done
                terminal.echo(f"error: {error.message}", err=True, fg="red")
            await watched.saved()


@asynccontextmanager
async def staged(
    bundle: Bundle, limits: Limits, *, standby: Standby | None = None
) -> AsyncIterator[Stage]:
    """An engine with the adaptors of the bundle, for as long as it is needed."""
    async with stage(standby=standby) as here:
        adaptors = await here.install(bundle.plan)
        yield Stage(here.engine, here.data, adaptors, limits)


def names_of(plan: JsonObject) -> dict[str, str]:
    """What a plan's author calls its steps, by their ids."""
    workflow = plan.get("workflow")
    steps = workflow.get("steps") if isinstance(workflow, dict) else None
    return {
        str(step.get("id")): str(step.get("name") or step.get("id"))
        for step in (steps if isinstance(steps, list) else [])
        if isinstance(step, dict)
    }


def _show(found: Replayed, changes: list[Change], names: dict[str, str]) -> None:
    for change in changes:
        ended = change.now if change.before == change.now else f"{change.before} -> {change.now}"
        colour = "green" if change.same else "yellow"
        words = "the same output" if not change.lines else f"{len(change.lines)} differences"
        step = names.get(change.step, change.step)
        terminal.echo(f"{step}: {ended}, {words}", fg=colour)
        for line in change.lines[:_LINES]:
            terminal.echo(f"  {line}")
        if len(change.lines) > _LINES:
            terminal.echo(f"  … {len(change.lines) - _LINES} more")
    for line in found.otherwise:
        terminal.echo(f"? {line}", fg="yellow")
    outcome = found.made.outcome
    if isinstance(made := outcome.get("diagnosis"), dict):
        for row in rows(read_diagnosis(made).named(names)):
            terminal.echo(row)
    elif outcome.get("reason") != "success":
        terminal.echo(f"{outcome.get('reason')}: {outcome.get('error_message')}", fg="red")
    terminal.echo(f"replayed in {found.seconds * 1000:.0f} ms", dim=True)


def _told(found: Replayed, changes: list[Change]) -> JsonObject:
    return {
        "same": all(change.same for change in changes),
        "steps": [
            {"step": c.step, "before": c.before, "now": c.now, "differences": [*c.lines]}
            for c in changes
        ],
        "asked_otherwise": [*found.otherwise],
        "outcome": found.made.outcome,
        "milliseconds": round(found.seconds * 1000),
    }

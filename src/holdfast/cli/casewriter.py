"""Writes a test case from a recorded run: `holdfast test --from-run`."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import yaml

from holdfast.bench.bundle import Bundle
from holdfast.bench.case import case_of
from holdfast.bench.replaying import replay
from holdfast.cli import terminal
from holdfast.cli.projectplan import project_plan
from holdfast.cli.replay import staged
from holdfast.cli.replaycode import names_of, slug
from holdfast.cli.stage import perform
from holdfast.model.errors import UsageError
from holdfast.model.json import JsonObject
from holdfast.model.limits import Limits


def write_case(bundle: Bundle, project: Path, name: str | None, timeout: float) -> Path:
    """The file, in `tests/` beside the project. Raises UsageError."""
    workflow = str(bundle.workflow.get("name") or "")
    plan, _ = project_plan(project, workflow, None)
    known = names_of(bundle)
    keys, code = {}, {}
    for step in cast("list[JsonObject]", cast("JsonObject", plan["workflow"])["steps"]):
        step_id = known.get(str(step["id"])) or known.get(str(step["name"]))
        if step_id is not None:
            keys[step_id], code[step_id] = str(step["id"]), str(step["expression"])
    name = name or f"run {bundle.run_id[:8]}"
    made, again = perform(_twice(bundle, code, Limits(timeout_seconds=timeout)))
    case = case_of(bundle, made, again, keys)
    path = project.parent / "tests" / f"{slug(name) or 'case'}.yaml"
    if path.exists():
        message = f"{path}: is there already"
        raise UsageError(message, fix="Choose another name with --name.")
    path.parent.mkdir(exist_ok=True)
    document = {"workflow": workflow, "cases": {name: case}}
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=99)
    path.write_text(text, encoding="utf-8")
    return path


async def _twice(bundle: Bundle, code: dict[str, str], limits: Limits) -> tuple[Bundle, Bundle]:
    """The run with the project's code: at its own time, and now with other random numbers."""
    async with staged(bundle, limits) as stage:
        then = await replay(bundle, stage, code=code)
        for line in then.otherwise:
            terminal.echo(f"? {line}", err=True, fg="yellow")
        now = await replay(bundle, stage, code=code, now=True)
    return then.made, now.made

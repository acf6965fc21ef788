"""What `holdfast run` is given: a job, a workflow or a project, a state, credentials."""

from __future__ import annotations

import functools
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from holdfast.cli.planfile import check_step, read_plan, read_text
from holdfast.cli.projectplan import is_project, project_plan, read_credentials
from holdfast.cli.watched import with_beside
from holdfast.model.errors import UsageError
from holdfast.model.json import JsonObject, parse_document
from holdfast.paths import absolute


@dataclass(frozen=True, slots=True)
class Given:
    """The options that say what is to be run. Its files are read anew each time."""

    file: Path
    adaptors: tuple[str, ...]
    state: str
    start: str | None
    end: str | None
    workflow: str | None
    credentials: Path | None

    def plan(self) -> tuple[JsonObject, JsonObject]:
        """The plan, and the credentials by step. Raises UsageError."""
        plan, secrets = _plan(self.file, self.adaptors, self.workflow, self.credentials)
        options = cast("JsonObject", plan["options"])
        for name, step in (("start", self.start), ("end", self.end)):
            if step:
                check_step(plan, f"--{name}", step)
                options[name] = step
        return plan, secrets

    def input(self) -> JsonObject:
        """The state that the run begins with. Raises UsageError."""
        return parse_input(self.state)

    def files(self) -> list[Path]:
        """All files whose change may change the run."""
        is_job = self.file.suffix in {".js", ".mjs"}
        files = [self.file] if is_job else with_beside(self.file)
        if self.state.startswith("@"):
            files.append(absolute(self.state[1:]))
        if self.credentials is not None:
            files.append(self.credentials)
        return list(dict.fromkeys(files))


@functools.cache  # it can be read once
def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"standard input: not UTF-8 text (byte {error.start})"
        raise UsageError(message) from None


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

"""The code of a replay: as recorded, of a project, of a file, or of copies to be edited."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from holdfast.bench.bundle import Bundle
from holdfast.cli.planfile import read_text
from holdfast.cli.projectplan import project_plan
from holdfast.cli.watched import with_beside
from holdfast.diagnosis.near import listed, nearest
from holdfast.model.errors import UsageError


@dataclass(frozen=True, slots=True)
class Code:
    """Where new code comes from: `read` gives it by step id, `files` are those to watch."""

    files: list[Path]
    read: Callable[[], dict[str, str]]


def slug(name: str) -> str:
    """A step's name as a key of a project file."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def names_of(bundle: Bundle) -> dict[str, str]:
    """Every name of a step -> its id: the id itself, the name, the name as a key."""
    found: dict[str, str] = {}
    for step_id, step in bundle.code.items():
        name = str(step.get("name") or step_id)
        for word in (step_id, name, slug(name)):
            found.setdefault(word, step_id)
    return found


def step_named(bundle: Bundle, name: str) -> int:
    """The place of the step's last execution. Raises UsageError with those there are."""
    step_id = names_of(bundle).get(name)
    places = [place for place, step in enumerate(bundle.steps) if step.id == step_id]
    if places:
        return places[-1]
    message = f"--step: no step {name!r} ran"
    ran = dict.fromkeys(str(bundle.code[step.id].get("name") or step.id) for step in bundle.steps)
    near = nearest(name, ran)
    fix = f"Did you mean {near[0]}?" if near else f"These ran: {listed(list(ran))}."
    raise UsageError(message, fix=fix)


def code_of(
    bundle: Bundle,
    file: Path,
    *,
    only: int | None,
    project: Path | None,
    code: Path | None,
    edit: bool,
    watch: bool,
) -> Code:
    """The code to replay with. Raises UsageError.

    Where it is to be changed, there must be files to change. `watch`: those of the project in the
    current folder, where that has the steps. `edit`, or no such project: copies beside the
    recording, that of the step that failed first.
    """
    if code is not None:
        return _file(bundle, code, only)
    if project is not None:
        return _project(bundle, project)
    here = Path.cwd() / "project.yaml"
    if watch and not edit and here.is_file():
        try:
            return _project(bundle, here)
        except UsageError:
            pass  # a project of something else: copies, then
    return _copies(bundle, file, only) if edit or watch else Code([], dict)


def _file(bundle: Bundle, code: Path, only: int | None) -> Code:
    if only is None and len(bundle.code) != 1:
        message = "--code goes with one step: the run has several"
        raise UsageError(message, fix=f"Name it with --step: {listed(list(_labels(bundle)))}.")
    step = bundle.steps[only].id if only is not None else next(iter(bundle.code))
    return Code([code], lambda: {step: read_text(code)})


def _labels(bundle: Bundle) -> dict[str, str]:
    return {str(step.get("name") or key): key for key, step in bundle.code.items()}


def _project(bundle: Bundle, project: Path) -> Code:
    named = names_of(bundle)
    workflow = str(bundle.workflow.get("name") or "") or None

    def read() -> dict[str, str]:
        plan, _ = project_plan(project, workflow, None)
        whole = plan["workflow"]
        assert isinstance(whole, dict)
        steps = whole["steps"]
        assert isinstance(steps, list)
        found = {}
        for step in steps:
            assert isinstance(step, dict)
            known = named.get(str(step["id"])) or named.get(str(step["name"]))
            if known is not None:
                found[known] = str(step["expression"])
        return found

    if not read():
        message = f"{project}: none of its steps is one of the recorded run"
        raise UsageError(message, fix=f"The run has: {listed(list(_labels(bundle)))}.")
    return Code(with_beside(project), read)


def _copies(bundle: Bundle, file: Path, only: int | None) -> Code:
    """A file for each step beside the recording; one that is there already is kept."""
    chosen = [bundle.steps[only].id] if only is not None else list(bundle.code)
    failed = [step.id for step in bundle.steps if step.reason != "success"]
    chosen.sort(key=lambda step_id: step_id not in failed)
    files: dict[str, Path] = {}
    for step_id in chosen:
        step = bundle.code[step_id]
        if not isinstance(step.get("expression"), str):
            continue
        label = slug(str(step.get("name") or step_id)) or "step"
        files[step_id] = path = file.with_name(f"{file.stem}.{label}.js")
        if not path.exists():
            path.write_text(str(step["expression"]), encoding="utf-8")
    return Code(
        list(files.values()), lambda: {step: read_text(path) for step, path in files.items()}
    )

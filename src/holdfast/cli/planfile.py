"""Reads what `holdfast run` is given, a job or a workflow file, into an execution plan.

The accepted forms are those of `docs/spec/runtime.md` section 12. Pure but for reading the files
that the workflow names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import yaml

from holdfast.model.adaptor_name import COLLECTIONS, USES_COLLECTIONS, full_name
from holdfast.model.errors import UsageError
from holdfast.model.json import Json, JsonObject, parse_document
from holdfast.platform.project.loader import SafeLoader

_FILE_LIKE = re.compile(r"^\.{0,2}/|\.(js|mjs|ts|json|ya?ml)$")


_TEXT_OR_MAP = (str, dict)
#: What a member of a step may be, where it is there.
_STEP_FIELDS: dict[str, type | tuple[type, ...]] = {
    "id": str,
    "name": str,
    "expression": str,
    "next": _TEXT_OR_MAP,
    "state": _TEXT_OR_MAP,
    "configuration": _TEXT_OR_MAP,
}
_NAMES: dict[type | tuple[type, ...], str] = {str: "text", _TEXT_OR_MAP: "text or an object"}


class PlanFileError(UsageError):
    """The file given to `holdfast run` is not a job or a workflow."""


def read_text(path: Path) -> str:
    """The file as UTF-8 text; raises PlanFileError that names the file."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{path}: not UTF-8 text (byte {error.start})"
        raise PlanFileError(message) from None
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise PlanFileError(message) from None


class _Loader(SafeLoader):
    """YAML's values that JSON has too: a date stays the text that it was written as."""


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
    for first, pairs in SafeLoader.yaml_implicit_resolvers.items()
}


def read_document(path: Path) -> Json:
    """A JSON or YAML file; raises PlanFileError with line and column."""
    text = read_text(path)
    try:
        if path.suffix == ".json":
            return parse_document(text)
        return parse_document(json.dumps(yaml.load(text, Loader=_Loader)))  # noqa: S506 - a safe one
    except json.JSONDecodeError as error:
        message = f"{path}:{error.lineno}:{error.colno}: not JSON: {error.msg}"
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        message = f"{path}{place}: not YAML: {error.problem}"
    except (yaml.YAMLError, ValueError, TypeError) as error:
        message = f"{path}: cannot be read: {' '.join(str(error).split())}"
    raise PlanFileError(message)


def job_plan(path: Path, adaptors: tuple[str, ...]) -> JsonObject:
    """A plan of one step from a job file."""
    return step_plan(path.stem, read_text(path), adaptors)


def step_plan(name: str, code: str, adaptors: Iterable[str]) -> JsonObject:
    """A plan of one step, whose id is `job-1`."""
    step: JsonObject = {
        "id": "job-1",
        "name": name,
        "expression": code,
        "adaptors": [full_name(adaptor) for adaptor in adaptors],
    }
    return {"workflow": {"name": name, "steps": [step]}, "options": {}}


def workflow_plan(path: Path) -> JsonObject:
    """A plan from a workflow file: `{workflow, options}`, or the workflow itself."""
    document = read_document(path)
    if not isinstance(document, dict):
        message = f"{path}: a workflow is an object with a list of steps"
        raise PlanFileError(message)
    workflow = document.get("workflow", document)
    if not isinstance(workflow, dict):
        message = f"{path}: workflow: an object is expected"
        raise PlanFileError(message)
    steps = workflow.get("steps")
    if not isinstance(steps, list):
        message = f"{path}: the workflow has no list of steps"
        fix = 'The smallest workflow: {"steps": [{"id": "a", "expression": "fn(s => s)"}]}'
        raise PlanFileError(message, fix=fix)
    if not steps:
        message = f"{path}: the list of steps is empty"
        raise PlanFileError(message)
    workflow = dict(workflow)
    workflow.setdefault("name", path.stem)
    workflow["steps"] = [_step(path, index, step) for index, step in enumerate(steps)]
    _check_ids(path, cast("list[JsonObject]", workflow["steps"]))
    if isinstance(workflow.get("globals"), str):
        workflow["globals"] = _maybe_file(path, str(workflow["globals"]))
    options = document.get("options", workflow.pop("options", None))
    return {"workflow": workflow, "options": options if isinstance(options, dict) else {}}


def _check_ids(path: Path, steps: list[JsonObject]) -> None:
    """Refuse an id that two steps have."""
    ids: set[Json] = set()
    for index, step in enumerate(steps):
        if (name := step.get("id")) in ids and name is not None:
            message = f"{path}: steps[{index}].id: {name!r} is there twice"
            raise PlanFileError(message)
        ids.add(cast("str", name))


def check_step(plan: JsonObject, option: str, name: str) -> None:
    """Whether `--start` or `--end` names a step. Raises UsageError with those there are."""
    steps = cast("list[JsonObject]", cast("JsonObject", plan["workflow"])["steps"])
    known = [str(step.get("id") or f"job-{place}") for place, step in enumerate(steps, 1)]
    if name not in known:
        message = f"{option}: no step has the id {name!r}"
        raise UsageError(message, fix=f"The steps are: {', '.join(known)}.")


def _step(path: Path, index: int, step: Json) -> Json:
    if not isinstance(step, dict):
        message = f"{path}: steps[{index}]: an object is expected"
        raise PlanFileError(message)
    step = dict(step)
    for key, kinds in _STEP_FIELDS.items():
        if step.get(key) is not None and not isinstance(step[key], kinds):
            message = f"{path}: steps[{index}].{key}: {_NAMES[kinds]} is expected"
            raise PlanFileError(message)
    _check_edges(path, index, step.get("next"))
    named = step.pop("adaptor", None)
    adaptors = step.get("adaptors", [named] if named else [])
    if not isinstance(adaptors, list) or not all(isinstance(name, str) for name in adaptors):
        message = f"{path}: steps[{index}].adaptors: a list of names is expected"
        raise PlanFileError(message)
    step["adaptors"] = [full_name(str(name)) for name in adaptors]
    if isinstance(step.get("expression"), str):
        step["expression"] = _maybe_file(path, str(step["expression"]))
    for key in ("configuration", "state"):
        value = step.get(key)
        if isinstance(value, str) and _FILE_LIKE.search(value):
            step[key] = read_document(path.parent / value)
    return step


def _check_edges(path: Path, index: int, targets: Json) -> None:
    """Refuse a value that is no edge; the engine would never follow it, and say nothing."""
    for target, edge in targets.items() if isinstance(targets, dict) else ():
        if not isinstance(edge, bool | str | dict | None):
            message = (
                f"{path}: steps[{index}].next.{target}: true, false, a condition or an object "
            )
            raise PlanFileError(message + "with a condition is expected")


def _maybe_file(workflow: Path, text: str) -> str:
    """Job code may stand in the workflow, or in a file beside it that exists."""
    if "\n" not in text and _FILE_LIKE.search(text):
        file = workflow.parent / text
        if file.exists() or text.startswith((".", "/")):
            return read_text(file)
    return text


def read_plan(path: Path, adaptors: tuple[str, ...]) -> JsonObject:
    """The plan in a job (`.js`) or workflow (`.json`, `.yaml`) file."""
    if path.suffix in {".json", ".yaml", ".yml"}:
        if adaptors:
            message = "--adaptor goes with a job file; a workflow names adaptors per step"
            raise UsageError(message)
        return workflow_plan(path)
    if path.suffix in {".js", ".mjs"}:
        return job_plan(path, adaptors)
    message = f"{path}: a job ends in .js, a workflow in .json or .yaml"
    raise PlanFileError(message)


def plan_adaptors(plan: JsonObject) -> list[str]:
    """The distinct adaptor specifiers of all steps, in order."""
    workflow = cast("JsonObject", plan["workflow"])
    found: dict[str, None] = {}
    for step in cast("list[JsonObject]", workflow["steps"]):
        for name in cast("list[str]", step.get("adaptors") or []):
            found[name] = None
    return list(found)


def add_collections(plan: JsonObject) -> None:
    """Give steps that use collections their adaptor, in place.

    A platform's worker does so for comments and `db.collections.x`, too; here it may have to be
    fetched first, by somebody who has no use for it.
    """
    workflow = cast("JsonObject", plan["workflow"])
    for step in cast("list[JsonObject]", workflow["steps"]):
        names = [str(name) for name in cast("list[str]", step.get("adaptors") or [])]
        if any(name.startswith(COLLECTIONS) for name in names):
            continue
        code = str(step.get("expression") or "")
        if USES_COLLECTIONS.search(code) and _names_collections(code):
            step["adaptors"] = [*names, COLLECTIONS]


def _names_collections(code: str) -> bool:
    # Few jobs need it, and it costs a command's start.
    from holdfast.compiler import Source  # noqa: PLC0415
    from holdfast.compiler.calls import is_used  # noqa: PLC0415

    return is_used("collections", Source.of(code))


def pin_adaptors(plan: JsonObject, versions: dict[str, str]) -> None:
    """Replace each specifier by the exact one it was resolved to, in place."""
    workflow = cast("JsonObject", plan["workflow"])
    for step in cast("list[JsonObject]", workflow["steps"]):
        names = cast("list[str]", step.get("adaptors") or [])
        step["adaptors"] = [versions.get(name, name) for name in names]

"""A workflow of a project file as a plan, so that `holdfast run` runs what `deploy` deploys."""

from __future__ import annotations

from pathlib import Path

import yaml

from holdfast.cli.planfile import read_text
from holdfast.model.errors import UsageError
from holdfast.model.json import JsonObject
from holdfast.platform.project.loader import SafeLoader
from holdfast.platform.project.model import Edge, Project, Workflow
from holdfast.platform.project.read import read_project


def is_project(path: Path) -> bool:
    """Whether a YAML file is a project: it has `workflows`."""
    if path.suffix not in {".yaml", ".yml"}:
        return False
    try:
        document = yaml.load(read_text(path), Loader=SafeLoader)  # noqa: S506 - it is one
    except yaml.YAMLError:
        return False  # whoever reads it says what is wrong
    return isinstance(document, dict) and "workflows" in document


def project_plan(
    path: Path, name: str | None, credentials: Path | None
) -> tuple[JsonObject, JsonObject]:
    """The plan of a workflow, and the credentials by step. Raises UsageError."""
    project = read_project(path)
    workflow = _chosen(project, name, path)
    secrets = read_credentials(credentials)
    known = {credential.key for credential in project.credentials}
    if unknown := sorted(set(secrets) - known):
        message = f"{credentials}: the project has no credential {', '.join(unknown)}"
        raise UsageError(message, fix=f"It has: {', '.join(sorted(known)) or 'none'}.")
    given: JsonObject = {
        job.key: secrets[job.credential]
        for job in workflow.jobs
        if job.credential is not None and job.credential in secrets
    }
    return plan_of(workflow), given


def plan_of(workflow: Workflow) -> JsonObject:
    """The plan that a worker would get for this workflow."""
    steps: list[JsonObject] = [
        {
            "id": job.key,
            "name": job.name,
            "expression": job.body,
            "adaptors": [job.adaptor],
            "next": {
                edge.target_job: {"condition": _condition(edge)}
                for edge in workflow.edges
                if edge.source_job == job.key and edge.enabled
            },
        }
        for job in workflow.jobs
    ]
    first = next((e.target_job for e in workflow.edges if e.source_trigger and e.enabled), None)
    options: JsonObject = {"start": first} if first else {}
    return {"workflow": {"name": workflow.name, "steps": [*steps]}, "options": options}


def _condition(edge: Edge) -> str:
    if edge.condition_type == "js_expression":
        return edge.condition_expression or "true"
    return edge.condition_type


def _chosen(project: Project, name: str | None, path: Path) -> Workflow:
    names = [workflow.name for workflow in project.workflows]
    found = [w for w in project.workflows if name is None or name in (w.name, w.key)]
    if len(found) == 1:
        return found[0]
    which = "has several workflows" if name is None else f"has no workflow {name!r}"
    message = f"{path}: the project {which if names else 'has no workflow'}"
    raise UsageError(message, fix=f"Choose one with --workflow: {', '.join(names)}.")


def read_credentials(path: Path | None) -> dict[str, JsonObject]:
    """Secret values by credential key. Raises UsageError; never shows a value."""
    if path is None:
        return {}
    try:
        values = yaml.load(read_text(path), Loader=SafeLoader)  # noqa: S506 - it is one
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        message = f"{path}:{mark.line + 1 if mark else 1}: broken YAML"
        raise UsageError(message) from None
    if not isinstance(values, dict) or not all(isinstance(v, dict) for v in values.values()):
        message = f"{path}: must be a map of credential keys to maps of values"
        raise UsageError(message, fix="Example: my-login: {baseUrl: https://example.org}")
    return {str(key): value for key, value in values.items()}

"""The workflow that is edited as text (YAML, form 1 of a project file), and back. Pure.

What the forms do not have is not edited here, and refused by name: nothing is dropped silently.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path as File
from typing import Any

from yaml.nodes import MappingNode, Node

from holdfast.model.json import JsonObject
from holdfast.platform.project import form_v1
from holdfast.platform.project.model import Edge, Job, Trigger, Workflow
from holdfast.platform.project.rules import check_project
from holdfast.platform.project.source import ProjectFileError, Source, TextAlone
from holdfast.platform.project.write_v1 import spec_text
from holdfast.platform.project.writing import Names, hyphenated
from holdfast.platform.web.draft import KEYCHAIN, Begin, Draft, Path, Step, to_document
from holdfast.platform.web.hook import Hook

#: Members that the forms have: of the project, of a credential, of a workflow, and of its parts.
_PROJECT = frozenset({"name", "credentials", "workflows"})
_CREDENTIAL = frozenset({"name", "owner"})
_PARTS = {
    "jobs": frozenset({"name", "adaptor", "credential", "body"}),
    "triggers": frozenset(
        {"type", "enabled", "cron_expression", "cron_timezone", "custom_path", "webhook_reply",
         "webhook_access"}
    ),
    "edges": frozenset(
        {"source_trigger", "source_job", "target_job", "condition_type", "condition_expression",
         "condition_label", "enabled"}
    ),
}  # fmt: skip
_WORKFLOW = frozenset({"name", *_PARTS})
#: A clock has none of them.
_OF_WEBHOOK = frozenset({"custom_path", "webhook_reply", "webhook_access"})
LONGEST = 2_000_000


def to_text(
    draft: Draft, workflow_id: str, project: str, credentials: Sequence[Mapping[str, Any]]
) -> str:
    """The draft as a project file with this one workflow. `credentials`: of the project."""
    document = to_document(draft, workflow_id)
    del document["lock_version"]
    used = {step.credential for step in draft.steps}
    known: list[Any] = [item for item in credentials if item["id"] in used]
    whole: JsonObject = {
        "name": project, "project_credentials": known, "workflows": [document],
    }  # fmt: skip
    return spec_text(whole)


def from_text(
    text: str, draft: Draft, project: str, credentials: Sequence[Mapping[str, Any]]
) -> Draft:
    """The draft that a text means. Parts keep their ids. Raises ProjectFileError.

    `project`: its name. `credentials`: those that it has; the text says which of them are used.
    """
    if len(text) > LONGEST:
        long = f"the text has {len(text):,} characters; the most is {LONGEST:,}"
        raise ProjectFileError(long)
    source = TextAlone(text, File("workflow.yaml"))
    source.check()
    read, places = form_v1.read(source)
    check_project(read, places, source)
    source.check()
    if len(read.workflows) != 1:
        source.add(source.root, "there must be one workflow, the one that is edited")
    given = {(item["name"], item["owner"] or ""): str(item["id"]) for item in credentials}
    _refuse_more(source, project, frozenset(given))
    source.check()
    flow = read.workflows[0]
    jobs = _job_ids(flow, draft)
    begins = _trigger_ids(flow, draft)
    ids = jobs | {f"trigger {key}": value for key, value in begins.items()}
    old = {step.id: step for step in draft.steps}
    used = {item.key: given[item.name, item.owner] for item in read.credentials}
    return Draft(
        flow.name,
        draft.base,
        [_step(job, old.get(jobs[job.key], Step(jobs[job.key])), used) for job in flow.jobs],
        [_begin(trigger, begins[trigger.key]) for trigger in flow.triggers],
        _paths(flow, ids, draft),
        draft.places,
    )


def _refuse_more(source: Source, project: str, credentials: frozenset[tuple[str, str]]) -> None:
    """Add each member that would be dropped, and each credential that the project has not."""
    top = _members(source, source.root, "the project", _PROJECT)
    if source.text(top["name"], "name") != project:
        source.add(top["name"], f"the project is called {project}: its name is not edited here")
    for key, node in _members(source, top.get("credentials")).items():
        item = _members(source, node, f"credential {key}", _CREDENTIAL)
        named = [source.text(item.get(name), name) or "" for name in ("name", "owner")]
        if (named[0], named[1]) not in credentials:
            source.add(node, f"the project has no credential {' of '.join(filter(None, named))}")
    for key, node in _members(source, top.get("workflows")).items():
        flow = _members(source, node, f"workflow {key}", _WORKFLOW)
        for kind, known in _PARTS.items():
            for name, part in _members(source, flow.get(kind)).items():
                what = f"{kind[:-1]} {name}"
                members = _members(source, part, what, known)
                if kind == "triggers" and source.text(members.get("type"), "type") == "cron":
                    _members(source, part, f"{what}, a clock", known - _OF_WEBHOOK)


def _members(
    source: Source, node: Node | None, what: str = "", known: frozenset[str] | None = None
) -> dict[str, Node]:
    """The members of a map. With `known`, others are added as problems, each at its line."""
    found = source.mapping(node, what)
    if known is not None and isinstance(node, MappingNode):
        for key, _ in node.value:
            if key.value not in known:
                source.add(key, f"{what}: {key.value} is not edited here")
    return found


def _job_ids(flow: Workflow, draft: Draft) -> dict[str, str]:
    """Id of each job by its key: of the step that has its name, else its key, else a new one."""
    names = Names()
    by_key = {names.give(hyphenated(step.name), step.name): step.id for step in draft.steps}
    by_name = {step.name: step.id for step in draft.steps}
    found, taken = dict[str, str](), set[str]()
    wanted = [(job, by_name.get(job.name)) for job in flow.jobs]
    wanted += [(job, by_key.get(job.key)) for job in flow.jobs]
    for job, key in wanted:
        if job.key not in found and key is not None and key not in taken:
            found[job.key] = key
            taken.add(key)
    return {job.key: found.get(job.key) or str(uuid.uuid4()) for job in flow.jobs}


def _trigger_ids(flow: Workflow, draft: Draft) -> dict[str, str]:
    """A trigger keeps its id, and so a webhook its address, while its key and type stay."""
    names = Names()
    known = {(names.give(begin.type, begin.id), begin.type): begin.id for begin in draft.begins}
    return {
        trigger.key: known.get((trigger.key, trigger.type)) or str(uuid.uuid4())
        for trigger in flow.triggers
    }


def _step(job: Job, before: Step, credentials: Mapping[str, str]) -> Step:
    """`before`: the step that it was, or an empty one. `credentials`: their ids by their keys."""
    credential = before.credential if before.credential.startswith(KEYCHAIN) else ""
    if job.credential is not None:
        credential = credentials[job.credential]
    return Step(before.id, job.name, job.adaptor, credential, job.body)


def _begin(trigger: Trigger, key: str) -> Begin:
    access = trigger.webhook_access or {}
    hook = Hook.of_document(
        {"custom_path": trigger.custom_path, "webhook_reply": trigger.webhook_reply,
         "webhook_access": access}
    )  # fmt: skip
    return Begin(
        key, trigger.type, trigger.cron_expression or "", trigger.cron_timezone, trigger.enabled,
        hook if trigger.type == "webhook" else None,
    )  # fmt: skip


def _paths(flow: Workflow, ids: Mapping[str, str], draft: Draft) -> list[Path]:
    """Each path with an id of its own: of one that was between the same two parts, best of one
    that had the same condition, too; else a new one."""
    paths = [_path(edge, ids) for edge in flow.edges]
    found, free = dict[int, str](), {path.id: path for path in draft.paths}
    for like in (_with_condition, _between):
        for number, path in enumerate(paths):
            key = next((key for key, old in free.items() if like(old) == like(path)), None)
            if number not in found and key is not None:
                found[number] = key
                del free[key]
    return [
        replace(path, id=found.get(number) or str(uuid.uuid4()))
        for number, path in enumerate(paths)
    ]


def _between(path: Path) -> tuple[str, ...]:
    return path.source, path.target


def _with_condition(path: Path) -> tuple[str, ...]:
    return *_between(path), path.condition, path.expression


def _path(edge: Edge, ids: Mapping[str, str]) -> Path:
    start = f"trigger {edge.source_trigger}" if edge.source_trigger else edge.source_job or ""
    return Path(
        "", ids[start], ids[edge.target_job], edge.condition_type,
        edge.condition_expression or "", edge.condition_label or "", edge.enabled,
    )  # fmt: skip

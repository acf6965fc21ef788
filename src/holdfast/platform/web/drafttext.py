"""The workflow that is edited as text (YAML, form 1 of a project file), and back. Pure.

What the forms do not have is not edited here, and refused by name: nothing is dropped silently.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path as File
from typing import Any

from yaml.nodes import Node

from holdfast.model.json import JsonObject
from holdfast.platform.project import form_v1
from holdfast.platform.project.model import Edge, Job, Project, Trigger, Workflow
from holdfast.platform.project.rules import check_project
from holdfast.platform.project.source import Source
from holdfast.platform.project.write_v1 import spec_text
from holdfast.platform.project.writing import Names, hyphenated
from holdfast.platform.web.draft import KEYCHAIN, Begin, Draft, Path, Step, to_document
from holdfast.platform.web.hook import Hook

#: Members of a workflow that the forms have, and of a trigger that they have not.
_WORKFLOW = frozenset({"name", "jobs", "triggers", "edges"})
_TRIGGER = ("cron_overlap", "cron_catch_up", "cron_cursor_job", "webhook_response_config")
_LONGEST = 2_000_000


class _Text(Source):
    """A text alone: its code is in it, and no file is read."""

    def beside(self, node: Node, name: str, what: str) -> str:
        self.add(node, f"{what}: code stands in the text here, not in a file")
        return ""


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


def from_text(text: str, draft: Draft, credentials: Sequence[Mapping[str, Any]]) -> Draft:
    """The draft that a text means. Parts keep their ids. Raises ProjectFileError."""
    source = _Text(text[:_LONGEST], File("workflow.yaml"))
    source.check()
    project, places = form_v1.read(source)
    check_project(project, places, source)
    source.check()
    if len(project.workflows) != 1:
        source.add(source.root, "there must be one workflow, the one that is edited")
        source.check()
    flow = project.workflows[0]
    _refuse_more(source, flow)
    jobs = _job_ids(flow, draft)
    begins = _trigger_ids(flow, draft)
    ids = jobs | {f"trigger {key}": value for key, value in begins.items()}
    old = {step.id: step for step in draft.steps}
    given = _credentials(project, credentials)
    found = Draft(
        flow.name,
        draft.base,
        [
            _step(source, job, old.get(jobs[job.key], Step(jobs[job.key])), given)
            for job in flow.jobs
        ],
        [_begin(trigger, begins[trigger.key]) for trigger in flow.triggers],
        _paths(flow, ids, draft),
    )
    source.check()
    return found


def _refuse_more(source: Source, flow: Workflow) -> None:
    for name in sorted(flow.named - _WORKFLOW):
        source.add(source.root, f"workflow {flow.key}: {name} is not edited here")
    for trigger in flow.triggers:
        for name in (
            "cron_overlap",
            "cron_catch_up",
            "cron_cursor_job",
            "webhook_response_config",
        ):
            if getattr(trigger, name):
                source.add(source.root, f"trigger {trigger.key}: {name} is not edited here")
    source.check()


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


def _credentials(project: Project, known: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Id of each credential that the text calls by a key, or by its name alone."""
    by_name = {(item["name"], item["owner"] or ""): str(item["id"]) for item in known}
    found = {name: key for (name, owner), key in by_name.items() if not owner}
    for item in project.credentials:
        if (key := by_name.get((item.name, item.owner))) is not None:
            found[item.key] = key
    return found


def _step(source: Source, job: Job, before: Step, credentials: Mapping[str, str]) -> Step:
    """`before`: the step that it was, or an empty one."""
    credential = before.credential if before.credential.startswith(KEYCHAIN) else ""
    if job.credential is not None:
        credential = credentials.get(job.credential, "")
        if not credential:
            source.add(source.root, f"job {job.key}: there is no credential {job.credential} here")
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

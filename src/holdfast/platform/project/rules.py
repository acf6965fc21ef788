"""The rules that a project must obey to be deployed (`docs/spec/platform.md` 1.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from yaml.nodes import Node

from holdfast.model.adaptor_name import full_name, is_adaptor
from holdfast.platform.project.access import access_problems, key_problems
from holdfast.platform.project.model import Edge, Job, Project, Trigger, Workflow
from holdfast.platform.project.retry import retry_problems
from holdfast.platform.project.schedule import expression_problem, timezone_problem

#: Characters.
LONGEST_NAME = 255
RETENTION = ("retain_all", "retain_with_errors", "erase_all")
PROJECT_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
JOB_NAME = re.compile(r"[\w\- ]{1,100}")
ENVIRONMENT = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
ENVIRONMENT_WORDS = "up to 32 small letters, digits, - and _"
CUSTOM_PATH = re.compile(r"[a-z0-9_-]{1,255}")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


class Problems(Protocol):
    """Where problems go: a project file, or the errors of a request."""

    def add(self, node: Node | None, text: str) -> None: ...


@dataclass(slots=True)
class Places:
    """Where the parts of a project stand in its file."""

    nodes: dict[tuple[int, str], Node] = field(default_factory=dict)

    def put(self, part: object, node: Node | None) -> None:
        self.put_member(part, "", node)

    def put_member(self, part: object, member: str, node: Node | None) -> None:
        if node is not None:
            self.nodes[id(part), member] = node

    def of(self, part: object, member: str = "") -> Node | None:
        return self.nodes.get((id(part), member)) or self.nodes.get((id(part), ""))


def check_project(project: Project, places: Places, source: Problems) -> None:
    """Add a problem to `source` for each rule that does not hold."""
    if project.name and not PROJECT_NAME.fullmatch(project.name):
        source.add(
            places.of(project),
            f"the project's name {project.name!r} may only have lower-case letters, digits and "
            "single hyphens",
        )
    known = {credential.key for credential in project.credentials}
    for problem in (*_same_names(project), *_same_ids(project), *_long_names(project)):
        source.add(places.of(project), problem)
    for problem in key_problems(project.webhook_keys):
        source.add(places.of(project), problem)
    environment = project.kept.get("env", "main")
    if not isinstance(environment, str) or not ENVIRONMENT.fullmatch(environment):
        source.add(places.of(project), f"env {environment!r} must be {ENVIRONMENT_WORDS}")
    for workflow in project.workflows:
        _check_workflow(workflow, known, places, source)


def _same_names(project: Project) -> Iterator[str]:
    """Parts of one kind that are called the same."""
    owned = [f"{item.name} of {item.owner}" for item in project.credentials if item.owner]
    free = [item.name for item in project.credentials if not item.owner]
    for what, names in (
        ("workflows", [workflow.name for workflow in project.workflows]),
        ("credentials", owned + free),
        ("collections", [collection.name for collection in project.collections]),
    ):
        for name in _twice(names):
            yield f"two {what} are called {name!r}"


def _same_ids(project: Project) -> Iterator[str]:
    """An id means one part: of two, the second would overwrite the first."""
    ids = [item.id for item in project.credentials] + [item.id for item in project.collections]
    for workflow in project.workflows:
        ids += [workflow.id, *(job.id for job in workflow.jobs)]
        ids += [trigger.id for trigger in workflow.triggers]
        ids += [edge.id for edge in workflow.edges]
    for key in _twice(key for key in ids if key):
        yield f"two parts have the id {key}"


def _long_names(project: Project) -> Iterator[str]:
    """Names are in indexes of the database, which PostgreSQL limits."""
    names = [project.name, *(collection.name for collection in project.collections)]
    for credential in project.credentials:
        names += [credential.name, credential.owner]
    for workflow in project.workflows:
        names += [workflow.name, *(trigger.name for trigger in workflow.triggers)]
    for name in names:
        if len(name) > LONGEST_NAME:
            yield f"the name {name[:20]!r}… has more than {LONGEST_NAME} characters"


def _check_workflow(
    workflow: Workflow, credentials: set[str], places: Places, source: Problems
) -> None:
    what = f"workflow {workflow.name}"
    if not workflow.jobs:
        source.add(places.of(workflow), f"{what} has no jobs")
    for name in _twice(job.name for job in workflow.jobs):
        source.add(places.of(workflow), f"{what}: two jobs are called {name!r}")
    if sum(trigger.enabled for trigger in workflow.triggers) > 1:
        source.add(places.of(workflow), f"{what}: only one trigger may be enabled")
    for problem in retry_problems(workflow.retry):
        source.add(places.of(workflow), f"{what}: {problem}")
    for job in workflow.jobs:
        _check_job(what, job, credentials, places, source)
    for trigger in workflow.triggers:
        _check_trigger(what, trigger, workflow, places, source)
    for edge in workflow.edges:
        _check_edge(what, edge, workflow, places, source)
    if loop := _cycle(workflow):
        names = {job.key: job.name for job in workflow.jobs}
        words = " -> ".join(names.get(key, key) for key in loop)
        ends = (loop[0], loop[1])
        edge = next(e for e in workflow.edges if (e.source_job, e.target_job) == ends)
        source.add(places.of(edge), f"{what}: its edges go round in a circle: {words}")


def _check_job(
    what: str, job: Job, credentials: set[str], places: Places, source: Problems
) -> None:
    if not JOB_NAME.fullmatch(job.name):
        source.add(
            places.of(job),
            f"{what}: the job name {job.name!r} may have up to 100 letters, digits, spaces, _, -",
        )
    job.adaptor = full_name(job.adaptor)
    if not is_adaptor(job.adaptor):
        source.add(
            places.of(job, "adaptor"),
            f"{what}, job {job.name}: {job.adaptor!r} is not an adaptor; write "
            "@openfn/language-common@1.2.3, …@latest, or common@1.2.3 for short",
        )
    if job.credential is not None and job.credential not in credentials:
        source.add(
            places.of(job, "credential"),
            f"{what}, job {job.name}: credential {job.credential!r} is not in the project's "
            "credentials",
        )


def _check_trigger(
    what: str, trigger: Trigger, workflow: Workflow, places: Places, source: Problems
) -> None:
    where = f"{what}, trigger {trigger.name or trigger.key}"
    if trigger.type == "cron":
        expression = trigger.cron_expression = trigger.cron_expression or "0 0 * * *"
        if (wrong := expression_problem(expression)) is not None:
            source.add(
                places.of(trigger, "cron_expression"),
                f"{where}: {expression!r} is not a cron expression: {wrong}",
            )
        if (wrong := timezone_problem(trigger.cron_timezone or "UTC")) is not None:
            source.add(places.of(trigger), f"{where}: cron_timezone: {wrong}")
    for name, code in (trigger.webhook_response_config or {}).items():
        if code is not None and not _is_status(code):
            source.add(places.of(trigger), f"{where}: {name} must be a number from 200 to 599")
    for problem in access_problems(trigger.webhook_access):
        source.add(places.of(trigger), f"{where}: {problem}")
    cursor = trigger.cron_cursor_job
    if cursor and not _is_job(cursor, workflow):
        source.add(places.of(trigger), f"{where}: there is no job {cursor!r}")
    if (path := trigger.custom_path) and (not CUSTOM_PATH.fullmatch(path) or UUID.fullmatch(path)):
        source.add(
            places.of(trigger),
            f"{where}: custom_path {path!r} may have lower-case letters, digits, _ and - "
            "and must not look like an id",
        )


def _is_job(cursor: str, workflow: Workflow) -> bool:
    """By key or by id; whether an id that the file does not give is right, the platform knows."""
    if cursor in {key for job in workflow.jobs for key in (job.key, job.id)}:
        return True
    return UUID.fullmatch(cursor) is not None and not any(job.id for job in workflow.jobs)


def _check_edge(
    what: str, edge: Edge, workflow: Workflow, places: Places, source: Problems
) -> None:
    where, node = f"{what}, edge {edge.key}", places.of(edge)
    jobs = {job.key for job in workflow.jobs}
    triggers = {trigger.key for trigger in workflow.triggers}
    if (edge.source_trigger is None) == (edge.source_job is None):
        source.add(node, f"{where} needs either source_trigger or source_job")
    for name, present, kind in (
        (edge.source_trigger, triggers, "trigger"),
        (edge.source_job, jobs, "job"),
        (edge.target_job, jobs, "job"),
    ):
        if name == "":
            source.add(node, f"{where} has no target job")
        elif name is not None and name not in present:
            source.add(node, f"{where}: there is no {kind} {name!r}{_have(present)}")
    if edge.source_trigger is not None and edge.condition_type.startswith("on_job"):
        source.add(node, f"{where}: {edge.condition_type} makes no sense after a trigger")
    if edge.condition_type == "js_expression" and not edge.condition_expression:
        source.add(node, f"{where}: condition_expression is missing")


def _is_status(code: object) -> bool:
    return isinstance(code, int) and not isinstance(code, bool) and 200 <= code <= 599


def _have(names: set[str]) -> str:
    return f" (there is {', '.join(sorted(names))})" if names else ""


def _twice(names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    return sorted({name for name in names if name in seen or seen.add(name)})  # type: ignore[func-returns-value]


def _cycle(workflow: Workflow) -> list[str]:
    """The keys of the jobs in one cycle, the first one also at the end; empty if there is none."""
    targets: dict[str, list[str]] = {}
    for edge in workflow.edges:
        if edge.source_job is not None:
            targets.setdefault(edge.source_job, []).append(edge.target_job)
    done: set[str] = set()
    for start in targets:
        path: list[str] = []
        stack: list[tuple[str, bool]] = [(start, False)]
        while stack:
            job, leaving = stack.pop()
            if leaving:
                path.pop()
                done.add(job)
            elif job in path:
                return [*path[path.index(job) :], job]
            elif job not in done:
                path.append(job)
                stack.append((job, True))
                stack += [(target, False) for target in targets.get(job, ())]
    return []

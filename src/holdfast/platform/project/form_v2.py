"""The second file form: one list of steps, edges as `next` (`schema_version: '4.0'`)."""

from __future__ import annotations

import re

from yaml.nodes import MappingNode, Node, ScalarNode

from holdfast.platform.project.form_v1 import trigger_of, webhook_keys
from holdfast.platform.project.members import (
    OPTIONS,
    WORKFLOW_OPTIONS,
    id_of,
    newest,
    read_options,
    read_workflow_options,
)
from holdfast.platform.project.model import (
    CONDITIONS,
    CRON_DEFAULTS,
    DEFAULT_ADAPTOR,
    CollectionRef,
    CredentialRef,
    Edge,
    Job,
    Project,
    Workflow,
)
from holdfast.platform.project.rules import Places
from holdfast.platform.project.source import Source
from holdfast.platform.project.writing import slug

PROJECT = (
    "id", "name", "description", "schema_version", "cli", "credentials", "collections",
    "workflows", "webhook_keys", "openfn", "options", "sandbox", "channels",
)  # fmt: skip
WORKFLOW = (
    "id", "name", "start", "steps", "history", "openfn", "options", "schema_version",
    *WORKFLOW_OPTIONS,
)  # fmt: skip
STEP = ("id", "name", "adaptor", "adaptors", "configuration", "expression", "next", "openfn")
TRIGGER = (
    "id", "name", "type", "enabled", "custom_path", "cron_expression", "cron_cursor",
    "cron_cursor_job_id", *CRON_DEFAULTS, "webhook_reply", "webhook_response_config",
    "webhook_access", "next", "openfn",
)  # fmt: skip
#: What other platforms' documents have besides is theirs.
PROJECT_OPTIONS = (
    *OPTIONS,
    "version_history",
    "project_users",
    "project_repo_connection",
    "files",
)
_CODE_FILE = re.compile(r"\S[^\n]*\.js")
NEXT = ("condition", "label", "disabled", "openfn", "name")


def read(source: Source) -> tuple[Project, Places]:
    """The project and where its parts stand. Problems go to `source`."""
    places = Places()
    top = source.mapping(source.root, "the project", PROJECT)
    name = source.text(top.get("id"), "the project's id") or slug(
        source.needed(source.root, top.get("name"), "the project's name")
    )
    description = source.text(top.get("description"), "description")
    openfn = source.mapping(top.get("openfn"), "openfn")
    project = Project(name, description, named=frozenset(top))
    project.webhook_keys = webhook_keys(source, top.get("webhook_keys"))
    project.id = id_of(source, openfn.get("uuid"), "openfn: uuid")
    read_options(source, project, source.mapping(top.get("options"), "options", PROJECT_OPTIONS))
    project.channels = [
        source.plain(node) for node in source.items(top.get("channels"), "channels")
    ]
    places.put(project, top.get("id") or top.get("name") or source.root)
    for node in source.items(top.get("credentials"), "credentials"):
        members = source.mapping(node, "a credential", ("name", "owner", "uuid"))
        title = source.needed(node, members.get("name"), "a credential's name")
        owner = source.text(members.get("owner"), "owner") or ""
        key = id_of(source, members.get("uuid"), "a credential's uuid")
        project.credentials.append(CredentialRef(f"{owner}|{title}", title, owner, key))
    for node in source.items(top.get("collections"), "collections"):
        project.collections.append(_collection(source, node))
    if "workflows" not in top:
        source.add(source.root, "the project's workflows are missing")
    for node in source.items(top.get("workflows"), "workflows"):
        project.workflows.append(read_workflow(source, places, node))
    return project, places


def _collection(source: Source, node: Node) -> CollectionRef:
    """A name alone, or a name with the id that the platform gave it."""
    if not isinstance(node, MappingNode):
        return CollectionRef(source.needed(source.root, node, "a collection's name"))
    members = source.mapping(node, "a collection", ("name", "uuid"))
    name = source.needed(node, members.get("name"), "a collection's name")
    return CollectionRef(name, source.text(members.get("uuid"), f"collection {name}: uuid") or "")


def read_workflow(
    source: Source, places: Places, node: Node, *, in_folder: bool = False
) -> Workflow:
    """A workflow; in the folder form an expression `./name.js` names a file beside it."""
    members = source.mapping(node, "a workflow", WORKFLOW)
    name = source.text(members.get("name"), "a workflow's name")
    key = source.text(members.get("id"), "a workflow's id") or slug(name or "")
    if not key:
        source.add(node, "a workflow needs a name")
    what = f"workflow {name or key}"
    openfn = source.mapping(members.get("openfn"), f"{what}: openfn")
    workflow = Workflow(
        key,
        name or key,
        id=id_of(source, openfn.get("uuid"), f"{what}: uuid"),
        version=newest(source, members.get("history"), f"{what}: history"),
    )
    options = source.mapping(members.get("options"), f"{what}: options", WORKFLOW_OPTIONS)
    read_workflow_options(source, workflow, {**openfn, **options, **members})
    places.put(workflow, node)
    for step in source.items(members.get("steps"), f"{what}: steps"):
        _step(source, places, workflow, what, step, in_folder=in_folder)
    return workflow


def _step(
    source: Source, places: Places, workflow: Workflow, what: str, node: Node, *, in_folder: bool
) -> None:
    every = source.mapping(node, f"{what}: a step")
    is_trigger = "type" in every
    members = source.mapping(node, f"{what}: a step", TRIGGER if is_trigger else STEP)
    name = source.text(members.get("name"), f"{what}: a step's name")
    key = source.text(members.get("id"), f"{what}: a step's id") or slug(name or "")
    if not key:
        source.add(node, f"{what}: a step needs an id")
    where = f"{what}, step {name or key}"
    openfn = source.mapping(members.get("openfn"), f"{where}: openfn")
    if is_trigger:
        trigger = trigger_of(source, members, where, key)
        cursor = members.get("cron_cursor") or members.get("cron_cursor_job_id")
        trigger.cron_cursor_job = source.text(cursor, f"{where}: cron_cursor")
        trigger.id = id_of(source, openfn.get("uuid"), f"{where}: uuid")
        trigger.name = source.text(openfn.get("name"), f"{where}: name") or ""
        workflow.triggers.append(trigger)
        places.put(trigger, node)
        places.put_member(trigger, "cron_expression", members.get("cron_expression"))
    else:
        job = _job(source, members, where, key, name or key)
        job.id = id_of(source, openfn.get("uuid"), f"{where}: uuid")
        workflow.jobs.append(job)
        if in_folder and _CODE_FILE.fullmatch(job.body):
            job.body = source.beside(members["expression"], job.body, f"{where}: expression")
        places.put(job, node)
        places.put_member(job, "adaptor", members.get("adaptor") or members.get("adaptors"))
        places.put_member(job, "credential", members.get("configuration"))
        places.put_member(job, "body", members.get("expression"))
    for target, condition in _targets(source, members.get("next"), where):
        edge = _edge(source, where, key, target, condition, from_trigger=is_trigger)
        workflow.edges.append(edge)
        places.put(edge, condition or members["next"])


def _job(source: Source, members: dict[str, Node], what: str, key: str, name: str) -> Job:
    return Job(
        key,
        name,
        source.body(members.get("expression"), f"{what}: expression"),
        source.text(_adaptor_node(source, members, what), f"{what}: adaptor") or DEFAULT_ADAPTOR,
        source.text(members.get("configuration"), f"{what}: configuration"),
    )


def _adaptor_node(source: Source, members: dict[str, Node], what: str) -> Node | None:
    if (node := members.get("adaptor")) is not None:
        return node
    return next(source.items(members.get("adaptors"), f"{what}: adaptors"), None)


def _targets(source: Source, node: Node | None, what: str) -> list[tuple[str, Node | None]]:
    """`next: store` is short for one unconditional target."""
    if node is None:
        return []
    if isinstance(node, ScalarNode):
        name = source.text(node, f"{what}: next")
        return [(name, None)] if name else []
    return list(source.mapping(node, f"{what}: next").items())


def _edge(
    source: Source, what: str, origin: str, target: str, node: Node | None, *, from_trigger: bool
) -> Edge:
    edge = Edge(f"{origin}->{target}", target)
    if from_trigger:
        edge.source_trigger = origin
    else:
        edge.source_job = origin
    where = f"{what}: next {target}"
    condition: str | None
    if isinstance(node, MappingNode):
        members = source.mapping(node, where, NEXT)
        condition = source.text(members.get("condition"), f"{where}: condition")
        edge.condition_label = source.text(members.get("label"), f"{where}: label")
        openfn = source.mapping(members.get("openfn"), f"{where}: openfn")
        edge.id = id_of(source, openfn.get("uuid"), f"{where}: uuid")
        edge.enabled = not source.flag(
            members.get("disabled"), f"{where}: disabled", default=False
        )
    else:
        condition = source.text(node, where)
    if condition in {"true", "false", "never"}:
        edge.enabled, condition = edge.enabled and condition == "true", None
    if condition and condition not in CONDITIONS:
        edge.condition_type, edge.condition_expression = "js_expression", condition
    elif condition:
        edge.condition_type = condition
    return edge

"""The first file form: maps keyed by name (`openfn pull`, `openfn deploy`)."""

from __future__ import annotations

from yaml.nodes import Node

from holdfast.model.json import Json, JsonObject
from holdfast.platform.project.access import KEY_TYPES, tidy
from holdfast.platform.project.members import (
    OPTIONS,
    WORKFLOW_OPTIONS,
    id_of,
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
    Trigger,
    Workflow,
)
from holdfast.platform.project.rules import Places
from holdfast.platform.project.schedule import CatchUp, Overlap
from holdfast.platform.project.source import Source

PROJECT = (
    "id", "name", "description", "credentials", "collections", "channels", "workflows",
    "webhook_keys", "globals",
    *OPTIONS,
)  # fmt: skip
WORKFLOW = ("id", "name", "jobs", "triggers", "edges", *WORKFLOW_OPTIONS)
JOB = ("id", "name", "adaptor", "credential", "body", "globals")
TRIGGER = (
    "id", "type", "enabled", "custom_path", "cron_expression", "cron_cursor_job", *CRON_DEFAULTS,
    "webhook_reply", "webhook_response_config", "webhook_access",
)  # fmt: skip
EDGE = (
    "id", "source_trigger", "source_job", "target_job", "condition_type", "condition_expression",
    "condition_label", "enabled",
)  # fmt: skip


def read(source: Source) -> tuple[Project, Places]:
    """The project and where its parts stand. Problems go to `source`."""
    places = Places()
    top = source.mapping(source.root, "the project", PROJECT)
    project = Project(
        name=source.needed(source.root, top.get("name"), "the project's name"),
        description=source.text(top.get("description"), "description"),
        id=id_of(source, top.get("id"), "the project's id"),
        named=frozenset(top),
    )
    project.webhook_keys = webhook_keys(source, top.get("webhook_keys"))
    read_options(source, project, top)
    channels = source.mapping(top.get("channels"), "channels")
    project.channels = [_channel(source, key, node) for key, node in channels.items()]
    places.put(project, top.get("name") or source.root)
    for key, node in source.mapping(top.get("credentials"), "credentials").items():
        project.credentials.append(_credential(source, key, node))
    for key, node in source.mapping(top.get("collections"), "collections").items():
        members = source.mapping(node, f"collection {key}", ("id", "name"))
        name = source.text(members.get("name"), "name") or key
        project.collections.append(CollectionRef(name))
    if "workflows" not in top:
        source.add(source.root, "the project's workflows are missing")
    for key, node in source.mapping(top.get("workflows"), "workflows").items():
        project.workflows.append(_workflow(source, places, key, node))
    return project, places


def _channel(source: Source, key: str, node: Node) -> Json:
    """Kept as it is written."""
    members = source.mapping(node, f"channel {key}")
    return {"name": key, **{name: source.plain(part) for name, part in members.items()}}


def _credential(source: Source, key: str, node: Node) -> CredentialRef:
    what = f"credential {key}"
    members = source.mapping(node, what, ("id", "name", "owner"))
    return CredentialRef(
        key,
        source.needed(node, members.get("name"), f"{what}: name"),
        source.text(members.get("owner"), f"{what}: owner") or "",
    )


def _workflow(source: Source, places: Places, key: str, node: Node) -> Workflow:
    what = f"workflow {key}"
    members = source.mapping(node, what, WORKFLOW)
    workflow = Workflow(
        key,
        source.text(members.get("name"), f"{what}: name") or key,
        id=id_of(source, members.get("id"), f"{what}: id"),
    )
    read_workflow_options(source, workflow, members)
    places.put(workflow, node)
    for name, part in source.mapping(members.get("jobs"), f"{what}: jobs").items():
        workflow.jobs.append(_job(source, places, f"{what}, job {name}", name, part))
    for name, part in source.mapping(members.get("triggers"), f"{what}: triggers").items():
        workflow.triggers.append(_trigger(source, places, f"{what}, trigger {name}", name, part))
    for name, part in source.mapping(members.get("edges"), f"{what}: edges").items():
        workflow.edges.append(_edge(source, places, f"{what}, edge {name}", name, part))
    return workflow


def _job(source: Source, places: Places, what: str, key: str, node: Node) -> Job:
    members = source.mapping(node, what, JOB)
    job = Job(
        key,
        source.text(members.get("name"), f"{what}: name") or key,
        source.body(members.get("body"), f"{what}: body"),
        source.text(members.get("adaptor"), f"{what}: adaptor") or DEFAULT_ADAPTOR,
        source.text(members.get("credential"), f"{what}: credential"),
    )
    places.put(job, node)
    places.put_member(job, "adaptor", members.get("adaptor"))
    places.put_member(job, "credential", members.get("credential"))
    places.put_member(job, "body", members.get("body"))
    return job


def _trigger(source: Source, places: Places, what: str, key: str, node: Node) -> Trigger:
    members = source.mapping(node, what, TRIGGER)
    trigger = trigger_of(source, members, what, key)
    trigger.cron_cursor_job = source.text(
        members.get("cron_cursor_job"), f"{what}: cron_cursor_job"
    )
    places.put(trigger, node)
    places.put_member(trigger, "cron_expression", members.get("cron_expression"))
    return trigger


def trigger_of(source: Source, members: dict[str, Node], what: str, key: str) -> Trigger:
    """The members both forms share."""
    return Trigger(
        key,
        source.choice(members.get("type"), f"{what}: type", ("webhook", "cron")) or "webhook",
        source.flag(members.get("enabled"), f"{what}: enabled", default=True),
        custom_path=source.text(members.get("custom_path"), f"{what}: custom_path"),
        cron_expression=source.text(members.get("cron_expression"), f"{what}: cron_expression"),
        cron_timezone=source.text(members.get("cron_timezone"), f"{what}: cron_timezone") or "",
        cron_overlap=source.choice(
            members.get("cron_overlap"), f"{what}: cron_overlap", tuple(Overlap)
        )
        or "",
        cron_catch_up=source.choice(
            members.get("cron_catch_up"), f"{what}: cron_catch_up", tuple(CatchUp)
        )
        or "",
        webhook_reply=source.choice(
            members.get("webhook_reply"),
            f"{what}: webhook_reply",
            ("before_start", "after_completion"),
        )
        or "",
        webhook_response_config=_response_config(source, members, what),
        webhook_access=_access(source, members, what),
    )


def _access(source: Source, members: dict[str, Node], what: str) -> JsonObject | None:
    """Who may use the webhook; `rules.py` looks at what the lists say."""
    node = members.get("webhook_access")
    where = f"{what}: webhook_access"
    if node is None:
        return None
    asked = tidy(
        {
            name: [source.text(item, f"{where}: {name}") for item in source.items(part, where)]
            for name, part in source.mapping(node, where).items()
        }
    )
    return asked or {}  # it says: none of all this


def webhook_keys(source: Source, node: Node | None) -> dict[str, str]:
    """The keys that a project declares: name -> type."""
    found = {}
    for name, part in source.mapping(node, "webhook_keys").items():
        members = source.mapping(part, f"webhook key {name}", ("type",))
        kind = source.choice(members.get("type"), f"webhook key {name}: type", KEY_TYPES)
        found[name] = kind or KEY_TYPES[0]
    return found


def _response_config(source: Source, members: dict[str, Node], what: str) -> JsonObject | None:
    if (node := members.get("webhook_response_config")) is None:
        return None
    known = ("success_code", "error_code")
    codes = source.mapping(node, f"{what}: webhook_response_config", known)
    return {key: source.number(value, f"{what}: {key}") for key, value in codes.items()}


def _edge(source: Source, places: Places, what: str, key: str, node: Node) -> Edge:
    members = source.mapping(node, what, EDGE)
    expression = source.text(members.get("condition_expression"), f"{what}: condition_expression")
    kind = source.choice(members.get("condition_type"), f"{what}: condition_type", CONDITIONS)
    edge = Edge(
        key,
        source.needed(node, members.get("target_job"), f"{what}: target_job"),
        source.text(members.get("source_trigger"), f"{what}: source_trigger"),
        source.text(members.get("source_job"), f"{what}: source_job"),
        kind or ("js_expression" if expression else "always"),
        expression,
        source.text(members.get("condition_label"), f"{what}: condition_label"),
        source.flag(members.get("enabled"), f"{what}: enabled", default=True),
    )
    places.put(edge, node)
    places.put_member(edge, "condition_expression", members.get("condition_expression"))
    return edge

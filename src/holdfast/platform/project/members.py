"""Members of projects and workflows that both file forms share, wherever they stand."""

from __future__ import annotations

from yaml.nodes import Node

from holdfast.model.json import Json
from holdfast.platform.project.model import KEPT, PRIORITY, Project, Workflow
from holdfast.platform.project.rules import RETENTION, UUID
from holdfast.platform.project.source import Source, egress

#: In form 1 they stand beside the project's name, in form 2 under `options`.
OPTIONS = (
    "concurrency", "retention_policy", "history_retention_period", "dataclip_retention_period",
    *KEPT,
)  # fmt: skip
WORKFLOW_OPTIONS = ("concurrency", "enable_job_logs", "egress", "positions", "priority", "retry")


def read_options(source: Source, project: Project, members: dict[str, Node]) -> None:
    """Take a project's limits and what is kept for clients."""
    project.concurrency = source.number(members.get("concurrency"), "concurrency")
    policy = source.choice(members.get("retention_policy"), "retention_policy", RETENTION)
    project.retention_policy = policy or "retain_all"
    project.history_days = source.number(
        members.get("history_retention_period"), "history_retention_period"
    )
    project.dataclip_days = source.number(
        members.get("dataclip_retention_period"), "dataclip_retention_period"
    )
    for name in KEPT:
        if name in members:
            project.kept[name] = source.plain(members[name])
    if "record" in members:
        project.kept["record"] = source.flag(members["record"], "record", default=False)
    project.named |= members.keys() & set(OPTIONS)


def read_workflow_options(source: Source, workflow: Workflow, members: dict[str, Node]) -> None:
    """Take what limits a workflow and its runs."""
    what = f"workflow {workflow.name}"
    workflow.concurrency = source.number(members.get("concurrency"), f"{what}: concurrency")
    workflow.enable_job_logs = source.flag(
        members.get("enable_job_logs"), f"{what}: enable_job_logs", default=True
    )
    priority = source.choice(members.get("priority"), f"{what}: priority", PRIORITY)
    workflow.priority = priority or "normal"
    workflow.egress = egress(source, members.get("egress"), f"{what}: egress")
    workflow.retry = source.plain(members.get("retry"))
    workflow.positions = source.plain(members.get("positions"))
    workflow.named |= members.keys() & set(WORKFLOW_OPTIONS)


def id_of(source: Source, node: Node | None, what: str) -> str:
    """An id that the platform gave; empty when there is none, or none that it could have given."""
    text = source.text(node, what) or ""
    return text.lower() if UUID.fullmatch(text) else ""


def newest(source: Source, node: Node | None, what: str) -> str:
    """The last version of a workflow's history."""
    versions: list[Json] = [source.text(item, what) for item in source.items(node, what)]
    return str(versions[-1]) if versions else ""

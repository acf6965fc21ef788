"""The provisioning document as the platform takes it (`docs/spec/platform.md` 7.2).

It accepts lists, and maps keyed by name, because the two generations of the `openfn` command
differ. `merge.py` has filled in what the document leaves out.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from yaml.nodes import Node

from holdfast.model.errors import HoldfastError
from holdfast.model.json import Json, JsonObject
from holdfast.platform.project.access import access_problems, tidy
from holdfast.platform.project.kinds import kind_problems
from holdfast.platform.project.merge import dicts, is_deleted
from holdfast.platform.project.model import (
    CONDITIONS,
    KEPT,
    PRIORITY,
    CollectionRef,
    CredentialRef,
    Edge,
    Job,
    Project,
    Trigger,
    Workflow,
    egress_problem,
)
from holdfast.platform.project.rules import RETENTION, UUID, Places, check_project
from holdfast.platform.project.schedule import CatchUp, Overlap

#: Days that a retention period may have.
RETENTION_DAYS = (7, 14, 30, 90, 180, 365)
#: The largest limit that the database can hold.
_MOST = 2**31 - 1


class ProvisionError(HoldfastError):
    """The document breaks rules; `errors` has them by name for the reply."""

    def __init__(self, texts: list[str]) -> None:
        super().__init__("\n".join(texts))
        self.errors: JsonObject = {"base": list[Json](texts)}


@dataclass(slots=True)
class Provision:
    """A checked document: the parts to keep, and the ids of those to remove."""

    project: Project
    deleted: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Texts:
    """Problems of a request; nodes are of files only."""

    texts: list[str] = field(default_factory=list)

    def add(self, _node: Node | None, text: str) -> None:
        self.texts.append(text)


def from_payload(payload: Json) -> Provision:
    """The project a document describes. Raises ProvisionError with all that is wrong."""
    problems = _Texts()
    if not isinstance(payload, dict):
        raise ProvisionError(["the document must be a JSON object"])
    if found := list(kind_problems(payload)):
        raise ProvisionError(found)
    provision = Provision(
        Project(
            id=_given_id(payload, "project", problems),
            name=_name(payload, "the project", problems),
            description=_text(payload.get("description")),
            concurrency=_count(payload.get("concurrency"), "concurrency", problems),
            retention_policy=_default(payload, "retention_policy", "retain_all"),
            history_days=_days(payload, "history_retention_period", problems),
            dataclip_days=_days(payload, "dataclip_retention_period", problems),
            kept={
                name: payload[name]
                for name, default in KEPT.items()
                if payload.get(name) not in (None, default)
            },
            channels=_channels(payload.get("channels"), problems),
        )
    )
    project = provision.project
    _check_settings(project, problems)
    for item in _kept_items(payload.get("project_credentials"), provision):
        credential_id = _given_id(item, "credential", problems)
        owner, name = _text(item.get("owner")) or "", _name(item, "a credential", problems)
        project.credentials.append(CredentialRef(credential_id, name, owner))
    for item in _kept_items(payload.get("collections"), provision):
        collection_id = _given_id(item, "collection", problems)
        name = _name(item, "a collection", problems)
        project.collections.append(CollectionRef(name, collection_id))
    for item in dicts(payload.get("webhook_keys")):
        name = _name(item, "a webhook key", problems)
        if name in project.webhook_keys:
            problems.add(None, f"two webhook keys are called {name!r}")
        project.webhook_keys[name] = str(item.get("type"))
    for item in _kept_items(payload.get("workflows"), provision):
        project.workflows.append(_workflow(item, provision, problems))
    check_project(project, Places(), problems)
    if problems.texts:
        raise ProvisionError(problems.texts)
    return provision


def _check_settings(project: Project, problems: _Texts) -> None:
    if project.retention_policy not in RETENTION:
        problems.add(None, f"retention_policy must be one of {', '.join(RETENTION)}")
    if project.dataclip_days and project.dataclip_days > (project.history_days or 0):
        problems.add(None, "dataclip_retention_period may not exceed history_retention_period")


def _workflow(item: JsonObject, provision: Provision, problems: _Texts) -> Workflow:
    name = _name(item, "a workflow", problems)
    workflow = Workflow(
        key=name,
        name=name,
        id=_given_id(item, f"workflow {name}", problems),
        concurrency=_count(item.get("concurrency"), f"workflow {name}: concurrency", problems),
        enable_job_logs=item.get("enable_job_logs") is not False,
        egress=_egress(item.get("egress"), f"workflow {name}: egress", problems),
        positions=item.get("positions"),
        retry=item.get("retry"),
        priority=_choice(item, "priority", tuple(PRIORITY), f"workflow {name}", problems)
        or "normal",
    )
    for part in _kept_items(item.get("jobs"), provision):
        workflow.jobs.append(_job(part, name, problems))
    for part in _kept_items(item.get("triggers"), provision):
        workflow.triggers.append(_trigger(part, name, problems))
    names = {job.id: job.name for job in workflow.jobs}
    names |= {trigger.id: trigger.name for trigger in workflow.triggers}
    gone = provision.deleted
    for part in _kept_items(item.get("edges"), provision):
        if not gone & {str(part.get(end)) for end in ("source_job_id", "target_job_id")}:
            workflow.edges.append(_edge(part, name, names, problems))
    return workflow


def _job(item: JsonObject, workflow: str, problems: _Texts) -> Job:
    name = str(item.get("name") or "")
    where = f"workflow {workflow}, job {name}"
    job_id = _given_id(item, where, problems)
    if not isinstance(item.get("body"), str):
        problems.add(None, f"{where}: body can't be blank")
    return Job(
        key=job_id,
        id=job_id,
        name=name,
        body=str(item.get("body") or ""),
        adaptor=_text(item.get("adaptor")) or "@openfn/language-common@latest",
        credential=_text(item.get("project_credential_id")),
        keychain=_text(item.get("keychain_credential_id")),
    )


def _trigger(item: JsonObject, workflow: str, problems: _Texts) -> Trigger:
    kind = str(item.get("type") or "webhook")
    name = _text(item.get("name")) or kind
    where = f"workflow {workflow}, trigger {name}"
    if kind not in {"webhook", "cron"}:
        problems.add(None, f"{where}: type must be webhook or cron")
    reply = _text(item.get("webhook_reply")) or ""
    if reply not in {"", "before_start", "after_completion", "custom"}:
        problems.add(None, f"{where}: webhook_reply {reply!r} is not known")
    config = item.get("webhook_response_config")
    trigger_id = _given_id(item, where, problems)
    return Trigger(
        key=trigger_id,
        id=trigger_id,
        name=name,
        type=kind,
        enabled=item.get("enabled") is True,
        custom_path=_text(item.get("custom_path")),
        cron_expression=_text(item.get("cron_expression")),
        cron_cursor_job=_text(item.get("cron_cursor_job_id")),
        cron_timezone=_text(item.get("cron_timezone")) or "",
        cron_overlap=_choice(item, "cron_overlap", tuple(Overlap), where, problems),
        cron_catch_up=_choice(item, "cron_catch_up", tuple(CatchUp), where, problems),
        webhook_reply=reply,
        webhook_response_config=config if isinstance(config, dict) else None,
        webhook_access=_access(item.get("webhook_access"), where, problems),
    )


def _choice(
    item: JsonObject, name: str, choices: tuple[str, ...], where: str, problems: _Texts
) -> str:
    value = item.get(name)
    if value in (None, "", *choices):
        return str(value or "")
    problems.add(None, f"{where}: {name} must be one of {', '.join(choices)}")
    return ""


def _access(value: Json, where: str, problems: _Texts) -> JsonObject | None:
    found = list(access_problems(value))
    for problem in found:
        problems.add(None, f"{where}: {problem}")
    return None if found or not isinstance(value, dict) else tidy(value)


def _edge(item: JsonObject, workflow: str, names: dict[str, str], problems: _Texts) -> Edge:
    trigger, job = _text(item.get("source_trigger_id")), _text(item.get("source_job_id"))
    target = str(item.get("target_job_id") or "")
    key = f"{names.get(trigger or job or '', '?')}->{names.get(target, '?')}"
    where = f"workflow {workflow}, edge {key}"
    condition = _text(item.get("condition_type")) or "always"
    if condition not in CONDITIONS:
        problems.add(None, f"{where}: condition_type {condition!r} is not known")
    return Edge(
        key=key,
        id=_given_id(item, where, problems),
        target_job=target,
        source_trigger=trigger,
        source_job=job,
        condition_type=condition,
        condition_expression=_text(item.get("condition_expression"))
        if condition == "js_expression"
        else None,
        condition_label=_text(item.get("condition_label")),
        enabled=trigger is not None or item.get("enabled") is not False,
    )


def _channels(value: Json, problems: _Texts) -> list[Json]:
    """Channels are kept as they come: nothing of ours reads them."""
    channels: list[Json] = []
    for item in dicts(value):
        if not is_deleted(item):
            name = item.get("name")
            if not isinstance(name, str) or not name:
                problems.add(None, "a channel's name is missing")
            channels.append({"id": _given_id(item, f"channel {name}", problems), **item})
    return channels


def _kept_items(value: Json, provision: Provision) -> Iterator[JsonObject]:
    """The entries of a list, or of a map keyed by name, without those to be deleted.

    An entry to be deleted may have other members; they say nothing (the CLI sends them).
    """
    if value is not None and not isinstance(value, dict | list):
        raise ProvisionError([f"{value!r:.40} stands where a list of objects belongs"])
    for item in dicts(value):
        if not is_deleted(item):
            yield item
        elif item.get("id"):
            provision.deleted.add(str(item["id"]).lower())
        else:
            raise ProvisionError(["cannot delete a record without its id"])


def _given_id(item: JsonObject, where: str, problems: _Texts) -> str:
    """Callers choose ids; without one we make it."""
    value = item.get("id")
    if value is None:
        return str(uuid.uuid4())
    if not isinstance(value, str) or not UUID.fullmatch(value):
        problems.add(None, f"{where}: id {value!r} is not a UUID")
        return ""
    return value.lower()


def _name(item: JsonObject, what: str, problems: _Texts) -> str:
    name = _text(item.get("name"))
    if name is None:
        problems.add(None, f"{what}'s name is missing")
    return name or ""


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) and value else None


def _default(item: JsonObject, name: str, default: str) -> str:
    value = item.get(name)
    return default if value is None else str(value)


def _egress(value: Json, what: str, problems: _Texts) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        problems.add(None, f"{what} must be text")
        return None
    if problem := egress_problem(value):
        problems.add(None, f"{what}: {problem}")
    return value


def _count(value: Json, what: str, problems: _Texts) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MOST:
        problems.add(None, f"{what} must be a whole number from 1 to {_MOST}")
        return None
    return value


def _days(payload: JsonObject, name: str, problems: _Texts) -> int | None:
    value = payload.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or value not in RETENTION_DAYS:
        days = ", ".join(map(str, RETENTION_DAYS))
        problems.add(None, f"{name} must be null or one of {days} days")
        return None
    return int(value)

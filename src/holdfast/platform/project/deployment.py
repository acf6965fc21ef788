"""What `holdfast deploy` posts: the project of the file, merged with what the platform has.

Parts keep their ids: those of the file when the platform knows them, else those of the parts of
the same name. What the file no longer has is marked `delete`, as the `openfn` command does it
(`docs/spec/platform.md` 7.2, 7.3).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping

from holdfast.model.json import Json, JsonObject
from holdfast.platform.project.merge import dicts
from holdfast.platform.project.model import (
    CRON_DEFAULTS,
    KEPT,
    Edge,
    Job,
    Project,
    Trigger,
    Workflow,
)

_NAMESPACE = uuid.UUID("6f1e0cde-4f7b-5c7e-9b44-3a0f5a1d2c00")


def _id(*names: str) -> str:
    """The same names give the same id, so that two deployments mean the same part."""
    return str(uuid.uuid5(_NAMESPACE, "\0".join(names)))


class _Ids:
    """Ids for the parts of one list: each is given to one part only."""

    def __init__(self, known: Mapping[str, str], given: Iterable[str]) -> None:
        self._by_name = dict(known)
        self._here = set(known.values())
        self._taken = {key for key in given if key in self._here}

    def give(self, given: str, name: str, fresh: str) -> str:
        """The file's id if it is known here, else that of the name, else the file's or new."""
        if given in self._here:
            return given
        named = self._by_name.get(name)
        chosen = named if named is not None and named not in self._taken else given or fresh
        self._taken.add(chosen)
        return chosen


def to_payload(project: Project, current: JsonObject | None) -> JsonObject:
    """The document that makes the platform's project equal to this one."""
    current = current or {}
    known = dicts(current.get("workflows"))
    credentials = _credentials_payload(project, current)
    keys = {
        c.key: str(item["id"]) for c, item in zip(project.credentials, credentials, strict=True)
    }
    ids = _Ids({str(w["name"]): str(w["id"]) for w in known}, (w.id for w in project.workflows))
    here = {str(item["id"]): item for item in known}
    workflows: list[Json] = []
    for workflow in project.workflows:
        key = ids.give(workflow.id, workflow.name, _id(project.name, workflow.name))
        workflows.append(_workflow_payload(project, workflow, key, here.pop(key, {}), keys))
    workflows += [_delete(item) for item in here.values()]
    payload: JsonObject = {
        "id": current.get("id") or project.id or _id(project.name),
        "name": project.name,
        **_named(project, "description", "concurrency", "retention_policy"),
        **{name: project.kept.get(name) for name in KEPT if name in project.named},
        "project_credentials": list[Json](credentials),
        "collections": _collections_payload(project, current),
        "workflows": workflows,
    }
    if "history_retention_period" in project.named:
        payload["history_retention_period"] = project.history_days
    if "dataclip_retention_period" in project.named:
        payload["dataclip_retention_period"] = project.dataclip_days
    if "webhook_keys" in project.named:
        declared = project.webhook_keys.items()
        payload["webhook_keys"] = [{"name": name, "type": kind} for name, kind in declared]
    if "channels" in project.named:
        payload["channels"] = _channels_payload(project, current, keys)
    return payload


def _named(part: Project | Workflow, *members: str) -> JsonObject:
    """Only members that the file names; the rest stays as it is on the platform."""
    return {name: getattr(part, name) for name in members if name in part.named}


def _credentials_payload(project: Project, current: JsonObject) -> list[JsonObject]:
    known = {
        f"{item.get('owner') or ''}\0{item['name']}": str(item["id"])
        for item in dicts(current.get("project_credentials"))
    }
    ids = _Ids(known, (c.id for c in project.credentials))
    return [
        {
            "id": ids.give(
                c.id, f"{c.owner}\0{c.name}", _id(project.name, "credential", c.owner, c.name)
            ),
            "name": c.name,
            "owner": c.owner,
        }
        for c in project.credentials
    ]


def _collections_payload(project: Project, current: JsonObject) -> list[Json]:
    """Collections that the file does not name are kept: they hold data."""
    ids = {str(item["name"]): item["id"] for item in dicts(current.get("collections"))}
    return [
        {
            "id": ids.get(collection.name)
            or collection.id
            or _id(project.name, "collection", collection.name),
            "name": collection.name,
        }
        for collection in project.collections
    ]


def _channels_payload(
    project: Project, current: JsonObject, credentials: dict[str, str]
) -> list[Json]:
    known = {str(item["name"]): item["id"] for item in dicts(current.get("channels"))}
    channels: list[Json] = []
    for item in dicts(project.channels):
        name = str(item.get("name"))
        key = item.get("id") or known.get(name) or _id(project.name, "channel", name)
        members = {k: v for k, v in item.items() if k != "destination_credential"}
        if "destination_credential" in item:
            credential = str(item["destination_credential"])
            members["destination_credential_id"] = credentials.get(credential)
        channels.append({**members, "id": key})
    return channels


def _workflow_payload(
    project: Project,
    workflow: Workflow,
    key: str,
    current: JsonObject,
    credentials: dict[str, str],
) -> JsonObject:
    path = (project.name, workflow.name)
    known = {str(item["name"]): str(item["id"]) for item in dicts(current.get("jobs"))}
    ids = _Ids(known, (job.id for job in workflow.jobs))
    jobs = {
        job.key: ids.give(job.id, job.name, _id(*path, "job", job.name)) for job in workflow.jobs
    }
    known = {
        str(item.get("name") or item["type"]): str(item["id"])
        for item in dicts(current.get("triggers"))
    }
    ids = _Ids(known, (trigger.id for trigger in workflow.triggers))
    triggers = {
        # The id is the address of a webhook: nobody may compute it from names.
        t.key: ids.give(t.id, t.name or t.key, str(uuid.uuid4()))
        for t in workflow.triggers
    }
    edges = _edges_payload(path, workflow, current, jobs, triggers)
    kept = {*jobs.values(), *triggers.values(), *(str(edge["id"]) for edge in edges)}
    payload: JsonObject = {
        "id": key,
        "name": workflow.name,
        **_named(
            workflow, "concurrency", "enable_job_logs", "egress", "positions", "priority", "retry"
        ),
        "jobs": [
            *(_job_payload(job, jobs[job.key], credentials) for job in workflow.jobs),
            *_gone(current.get("jobs"), kept),
        ],
        "triggers": [
            *(_trigger_payload(t, triggers[t.key], jobs) for t in workflow.triggers),
            *_gone(current.get("triggers"), kept),
        ],
        "edges": [*edges, *_gone(current.get("edges"), kept)],
    }
    if "lock_version" in current:
        # Whoever changes it between this look and the writing is not overwritten.
        payload["lock_version"] = current["lock_version"]
    return payload


def _job_payload(job: Job, job_id: str, credentials: dict[str, str]) -> JsonObject:
    return {
        "id": job_id,
        "name": job.name,
        "adaptor": job.adaptor,
        "body": job.body,
        "project_credential_id": credentials[job.credential] if job.credential else None,
    }


def _trigger_payload(trigger: Trigger, trigger_id: str, job_ids: dict[str, str]) -> JsonObject:
    cursor = trigger.cron_cursor_job
    payload: JsonObject = {
        "id": trigger_id,
        "name": trigger.name or trigger.key,
        "type": trigger.type,
        "enabled": trigger.enabled,
        "custom_path": trigger.custom_path,
        "cron_expression": trigger.cron_expression,
        # a file may name the job by its id
        "cron_cursor_job_id": job_ids.get(cursor, cursor) if cursor else None,
        "webhook_reply": trigger.webhook_reply or None,
        "webhook_response_config": trigger.webhook_response_config,
    }
    for name in CRON_DEFAULTS:
        if said := getattr(trigger, name):  # what the file does not say stays
            payload[name] = said
    if trigger.webhook_access is not None:  # a file that does not speak of it opens nothing
        payload["webhook_access"] = trigger.webhook_access
    return payload


def _edges_payload(
    path: tuple[str, str],
    workflow: Workflow,
    current: JsonObject,
    jobs: dict[str, str],
    triggers: dict[str, str],
) -> list[JsonObject]:
    """An edge is known by its ends."""
    known = {
        f"{source} {edge['target_job_id']}": str(edge["id"])
        for edge in dicts(current.get("edges"))
        for source in [edge.get("source_trigger_id") or edge.get("source_job_id")]
    }
    ids = _Ids(known, (edge.id for edge in workflow.edges))
    found = []
    for edge in workflow.edges:
        origin = edge.source_trigger or edge.source_job or ""
        source = triggers[origin] if edge.source_trigger else jobs[origin]
        target = jobs[edge.target_job]
        fresh = _id(*path, "edge", origin, edge.target_job)
        key = ids.give(edge.id, f"{source} {target}", fresh)
        found.append(_edge_payload(edge, key, source, target))
    return found


def _edge_payload(edge: Edge, key: str, source: str, target: str) -> JsonObject:
    return {
        "id": key,
        "source_trigger_id": source if edge.source_trigger else None,
        "source_job_id": None if edge.source_trigger else source,
        "target_job_id": target,
        "condition_type": edge.condition_type,
        "condition_expression": edge.condition_expression,
        "condition_label": edge.condition_label,
        "enabled": edge.enabled,
    }


def _gone(items: Json, kept: set[str]) -> list[JsonObject]:
    return [_delete(item) for item in dicts(items) if item["id"] not in kept]


def _delete(item: JsonObject) -> JsonObject:
    return {"id": item["id"], "delete": True}

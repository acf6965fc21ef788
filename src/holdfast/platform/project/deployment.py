"""What `holdfast deploy` posts: the project of the file, merged with what the platform has.

Names keep their ids, and what the file no longer has is marked `delete`, as the `openfn` command
does it (`docs/spec/platform.md` 7.2, 7.3).
"""

from __future__ import annotations

import uuid

from holdfast.model.json import Json, JsonObject
from holdfast.platform.project.merge import dicts
from holdfast.platform.project.model import Edge, Job, Project, Trigger, Workflow

_NAMESPACE = uuid.UUID("6f1e0cde-4f7b-5c7e-9b44-3a0f5a1d2c00")


def _id(*names: str) -> str:
    """The same names give the same id, so that two deployments mean the same part."""
    return str(uuid.uuid5(_NAMESPACE, "\0".join(names)))


def to_payload(project: Project, current: JsonObject | None) -> JsonObject:
    """The document that makes the platform's project equal to this one."""
    current = current or {}
    known = {str(item["name"]): item for item in dicts(current.get("workflows"))}
    credentials = _credentials_payload(project, current)
    ids = {
        c.key: str(item["id"]) for c, item in zip(project.credentials, credentials, strict=True)
    }
    workflows = [
        _workflow_payload(project, workflow, known.pop(workflow.name, {}), ids)
        for workflow in project.workflows
    ]
    workflows += [_delete(item) for item in known.values()]
    return {
        "id": current.get("id") or _id(project.name),
        "name": project.name,
        **_named(project, "description", "concurrency"),
        "project_credentials": list[Json](credentials),
        "collections": _collections_payload(project, current),
        "webhook_keys": [{"name": n, "type": kind} for n, kind in project.webhook_keys.items()],
        "workflows": list[Json](workflows),
    }


def _named(part: Project | Workflow, *members: str) -> JsonObject:
    """Only what the file names: the rest stays as the platform has it."""
    return {name: getattr(part, name) for name in members if name in part.named}


def _credentials_payload(project: Project, current: JsonObject) -> list[JsonObject]:
    ids = {
        (str(item.get("owner") or ""), str(item["name"])): item["id"]
        for item in dicts(current.get("project_credentials"))
    }
    return [
        {
            "id": ids.get((c.owner, c.name)) or _id(project.name, "credential", c.owner, c.name),
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


def _workflow_payload(
    project: Project, workflow: Workflow, current: JsonObject, credentials: dict[str, str]
) -> JsonObject:
    path = (project.name, workflow.name)
    jobs = {str(item["name"]): item for item in dicts(current.get("jobs"))}
    triggers = {
        str(item.get("name") or item["type"]): item for item in dicts(current.get("triggers"))
    }
    job_ids = {
        job.key: str(jobs.get(job.name, {}).get("id") or _id(*path, "job", job.name))
        for job in workflow.jobs
    }
    trigger_ids = {
        # The id is the address of a webhook: nobody may compute it from names.
        t.key: str(triggers.get(t.key, {}).get("id") or uuid.uuid4())
        for t in workflow.triggers
    }
    edges = [_edge_payload(path, edge, job_ids, trigger_ids) for edge in workflow.edges]
    kept = {*job_ids.values(), *trigger_ids.values(), *(str(edge["id"]) for edge in edges)}
    return {
        "id": current.get("id") or _id(*path),
        "name": workflow.name,
        **_named(workflow, "concurrency", "enable_job_logs", "egress"),
        "jobs": [
            *(_job_payload(job, job_ids[job.key], credentials) for job in workflow.jobs),
            *_gone(current.get("jobs"), kept),
        ],
        "triggers": [
            *(_trigger_payload(t, trigger_ids[t.key], job_ids) for t in workflow.triggers),
            *_gone(current.get("triggers"), kept),
        ],
        "edges": [*edges, *_gone(current.get("edges"), kept)],
    }


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
        "name": trigger.key,
        "type": trigger.type,
        "enabled": trigger.enabled,
        "custom_path": trigger.custom_path,
        "cron_expression": trigger.cron_expression,
        "cron_cursor_job_id": job_ids.get(cursor) if cursor else None,
        "webhook_reply": trigger.webhook_reply,
        "webhook_response_config": trigger.webhook_response_config,
    }
    if trigger.webhook_access is not None:  # a file that does not speak of it opens nothing
        payload["webhook_access"] = trigger.webhook_access
    return payload


def _edge_payload(
    path: tuple[str, str], edge: Edge, job_ids: dict[str, str], trigger_ids: dict[str, str]
) -> JsonObject:
    source = edge.source_trigger or edge.source_job or ""
    return {
        "id": _id(*path, "edge", source, edge.target_job),
        "source_trigger_id": trigger_ids[edge.source_trigger] if edge.source_trigger else None,
        "source_job_id": job_ids[edge.source_job] if edge.source_job else None,
        "target_job_id": job_ids[edge.target_job],
        "condition_type": edge.condition_type,
        "condition_expression": edge.condition_expression,
        "condition_label": edge.condition_label,
        "enabled": edge.enabled,
    }


def _gone(items: Json, kept: set[str]) -> list[JsonObject]:
    return [_delete(item) for item in dicts(items) if item["id"] not in kept]


def _delete(item: JsonObject) -> JsonObject:
    return {"id": item["id"], "delete": True}

"""How rows look in JSON."""

from __future__ import annotations

import json
from typing import Any

from holdfast.model.json import Json, JsonObject
from holdfast.platform.api.shape import item
from holdfast.platform.clock import iso


def run(row: Any, *, whole: bool = False) -> JsonObject:
    """A run with what is known about it; `whole`: its post-mortem too."""
    attributes: JsonObject = {
        "state": row.state,
        "error_type": row.error_type,
        "error_message": row.error_message,
        "queue": row.queue,
        "priority": row.priority,
        "worker_name": row.worker_name or row.worker_id,
        "created_by": row.created_by,
        "options": json.loads(row.options),
        "versions": json.loads(row.versions or "null"),
        "returns": row.returns,
        "retries": row.retries,
        "duration_ms": row.duration_ms,
        "peak_memory_bytes": row.peak_memory,
        "notes": json.loads(row.notes or "[]"),
        "last_event": row.last_event,
    }
    if whole:
        attributes["postmortem"] = json.loads(row.postmortem or "null")
    times = (
        "inserted_at",
        "claimed_at",
        "started_at",
        "finished_at",
        "lost_at",
        "recovered_at",
        "last_event_at",
    )
    attributes |= {name: iso(getattr(row, name)) for name in times}
    related: JsonObject = {
        "work_order": row.work_order_id,
        "workflow": row.workflow_id,
        "project": row.project_id,
        "snapshot": row.snapshot_id,
        "dataclip": row.dataclip_id,
        "final_dataclip": row.final_dataclip_id,
        "starting_trigger": row.starting_trigger_id,
        "starting_job": row.starting_job_id,
    }
    return item("runs", row.id, attributes, related)


def work_order(row: Any) -> JsonObject:
    attributes: JsonObject = {
        "state": row.state,
        "scheduled_at": iso(row.scheduled_at),
        "last_activity": iso(row.last_activity),
        "inserted_at": iso(row.inserted_at),
        "updated_at": iso(row.last_activity),
    }
    related: JsonObject = {
        "workflow": row.workflow_id,
        "project": row.project_id,
        "snapshot": row.snapshot_id,
        "trigger": row.trigger_id,
        "dataclip": row.dataclip_id,
    }
    return item("work_orders", row.id, attributes, related)


def step(row: Any, job_name: str | None) -> JsonObject:
    """A step, with its job's name at the time of the run."""
    attributes: JsonObject = {
        "job_id": row.job_id,
        "job_name": job_name,
        "exit_reason": row.exit_reason,
        "error_type": row.error_type,
        "error_message": row.error_message,
        "started_at": iso(row.started_at),
        "finished_at": iso(row.finished_at),
        "duration_ms": row.duration_ms,
        "mem": json.loads(row.mem or "null"),
        "input_dataclip_id": row.input_dataclip_id,
        "output_dataclip_id": row.output_dataclip_id,
        "output_error": row.output_error,
        "repaired": row.repaired,
    }
    return {"type": "steps", "id": row.id, "attributes": attributes}


def log_line(row: Any) -> JsonObject:
    attributes: JsonObject = {
        "timestamp": iso(row.timestamp),
        "level": row.level,
        "source": row.source,
        "message": row.message,
        "truncated": row.size > len(row.message),
    }
    return item("log_lines", str(row.id), attributes, {"run": row.run_id, "step": row.step_id})


def project(row: Any) -> JsonObject:
    """A project without its workflows."""
    names = ("name", "description", "concurrency", "retention_policy",
             "history_retention_period", "dataclip_retention_period")  # fmt: skip
    attributes: JsonObject = {name: getattr(row, name) for name in names}
    attributes |= {name: iso(getattr(row, name)) for name in ("inserted_at", "updated_at")}
    return item("projects", row.id, attributes, {})


def job(row: Any) -> JsonObject:
    """A job; `adaptor_resolved` is what its runs use."""
    names = ("name", "body", "adaptor", "adaptor_resolved")
    attributes: JsonObject = {name: getattr(row, name) for name in names}
    related: JsonObject = {
        "workflow": row.workflow_id,
        "project": row.project_id,
        "credential": row.credential_id,
    }
    return item("jobs", row.id, attributes, related)


def credential(row: Any) -> JsonObject:
    """A credential, never its secret; `environments`: those that somebody has set one for."""
    attributes: JsonObject = {
        "name": row.name,
        "owner": row.owner,
        "schema": row.schema,
        "external_id": row.external_id,
        "oauth_client_id": row.oauth_client_id,
        "environments": list[Json](sorted((row.environments or "").split())),
        "has_secret": bool(row.environments),
        "inserted_at": iso(row.inserted_at),
        "updated_at": iso(row.updated_at),
    }
    return item("credentials", row.id, attributes, {"project": row.project_id})


def collection(row: Any) -> JsonObject:
    """A collection without its items."""
    attributes: JsonObject = {
        "name": row.name,
        "project_name": row.project_name,
        "items": row.items,
        "bytes": row.byte_size_sum,
        "inserted_at": iso(row.inserted_at),
        "updated_at": iso(row.updated_at),
    }
    return item("collections", row.id, attributes, {"project": row.project_id})

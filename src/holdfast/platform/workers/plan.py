"""The plan of a run, from its snapshot (`docs/spec/platform.md` 4.4 `fetch:plan`)."""

from __future__ import annotations

import json
from typing import Any

from holdfast.model.json import Json, JsonObject
from holdfast.platform.store.database import Connection
from holdfast.platform.store.runs import ALONE
from holdfast.platform.store.snapshots import run_with_snapshot


def plan_of(connection: Connection, run_id: str) -> JsonObject:
    """What the worker gets. The run must exist."""
    row = run_with_snapshot(connection, run_id)
    parts, options = json.loads(row.body), json.loads(row.options)
    if options.pop(ALONE, False):
        jobs = [job for job in parts["jobs"] if job["id"] == row.starting_job_id]
        parts = {"triggers": [], "jobs": jobs, "edges": []}
    return {
        "id": row.id,
        "project_id": row.project_id,
        "name": row.name,
        "starting_node_id": row.starting_trigger_id or row.starting_job_id,
        "dataclip_id": row.dataclip_id,
        "triggers": [{"id": trigger["id"]} for trigger in parts["triggers"]],
        "jobs": [_job(job) for job in parts["jobs"]],
        "edges": [_edge(edge) for edge in parts["edges"]],
        "options": options,
        "meta": {
            "work_order_id": row.work_order_id,
            "workflow_id": row.workflow_id,
            "workflow_version": row.lock_version,
            "project_id": row.project_id,
        },
    }


def _job(job: dict[str, Any]) -> Json:
    return {
        "id": job["id"],
        "name": job["name"],
        "adaptor": job["adaptor_resolved"],
        "credential_id": job["credential_id"] or job.get("keychain_credential_id"),
        "body": job["body"],
    }


def _edge(edge: dict[str, Any]) -> Json:
    script = edge["condition_type"] == "js_expression"
    return {
        "id": edge["id"],
        "source_trigger_id": edge["source_trigger_id"],
        "source_job_id": edge["source_job_id"],
        "target_job_id": edge["target_job_id"],
        "condition": edge["condition_expression"] if script else edge["condition_type"],
        "enabled": edge["enabled"],
    }

"""The second file form from a provisioning document (`docs/spec/platform.md` 7.3). Pure.

One file (`.projects/main@host.yaml` of the `openfn` command), or a folder: `openfn.yaml`, and for
each workflow `workflows/<id>/<id>.yaml` with its code in files beside it. `form_v2.py` reads both.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from holdfast.model.json import Json, JsonObject
from holdfast.platform.project.merge import dicts
from holdfast.platform.project.model import CRON_DEFAULTS
from holdfast.platform.project.versions import credential_key
from holdfast.platform.project.write_v1 import webhook_keys
from holdfast.platform.project.writing import (
    Names,
    listed,
    slug,
    texts,
    to_yaml,
    without_nothing,
)

SCHEMA_VERSION = "4.0"
WORKSPACE_FILE = "openfn.yaml"
#: Members of the document that have a place of their own; the others are options.
_PLACED = frozenset(
    {
        "id", "name", "description", "workflows", "project_credentials", "collections", "channels",
        "inserted_at", "updated_at", "parent_id", "webhook_keys",
    }
)  # fmt: skip
_STEP_OPENFN = frozenset({"id", "name", "adaptor", "body", "project_credential_id"})
_TRIGGER_OPENFN = frozenset(
    {
        "id", "type", "enabled", "custom_path", "cron_expression", "cron_cursor_job_id",
        "webhook_reply", "webhook_response_config", "webhook_access", *CRON_DEFAULTS,
    }
)  # fmt: skip
#: Members of a workflow that the folder form keeps as its options, unless they are the default.
WORKFLOW_OPTIONS: JsonObject = {
    "concurrency": None,
    "enable_job_logs": True,
    "egress": None,
    "priority": "normal",
    "retry": None,
}


def project_text(document: JsonObject, endpoint: str) -> str:
    """The one file's text; `endpoint` is the platform's address."""
    return to_yaml(project_of(document, endpoint))


def project_of(document: JsonObject, endpoint: str) -> JsonObject:
    """The project with everything that the document says."""
    keys = _credential_keys(document)
    return without_nothing(
        {
            "id": slug(str(document["name"])),
            "name": document["name"],
            "schema_version": SCHEMA_VERSION,
            **texts(document, "description"),
            "collections": _collections(document),
            "channels": document.get("channels"),
            "webhook_keys": webhook_keys(document),
            "credentials": [
                {"uuid": item["id"], **texts(item, "name", "owner")}
                for item in dicts(document.get("project_credentials"))
            ],
            "openfn": _openfn(document, endpoint),
            "options": {
                name: value
                for name, value in document.items()
                if name not in _PLACED and value is not None
            },
            "workflows": [
                {
                    **_workflow(item, keys),
                    "history": item.get("version_history"),
                    "openfn": _workflow_openfn(item),
                }
                for item in dicts(document.get("workflows"))
            ],
            "sandbox": {"parentId": document["parent_id"]} if document.get("parent_id") else None,
        }
    )


def folder_of(document: JsonObject, endpoint: str, alias: str = "main") -> dict[str, str]:
    """The folder form: path within the folder -> text of the file."""
    whole = project_of(document, endpoint)
    workflows = dicts(whole["workflows"])
    heads: JsonObject = {str(w["id"]): listed(w["history"])[-1] for w in workflows}
    project: JsonObject = {
        **_openfn(document, endpoint),
        **texts(whole, "id", "name"),
        "forked_from": heads,
    }
    if collections := dicts(document.get("collections")):
        project["collections"] = [item["name"] for item in collections]
    workspace: JsonObject = {
        "credentials": "credentials.yaml",
        "dirs": {"projects": ".projects", "workflows": "workflows"},
        "formats": {"openfn": "yaml", "project": "yaml", "workflow": "yaml"},
    }
    files = {
        WORKSPACE_FILE: to_yaml({"project": project, "workspace": workspace}),
        f".projects/{alias}@{urlsplit(endpoint).hostname}.yaml": to_yaml(whole),
    }
    for workflow in workflows:
        files |= _workflow_files(workflow)
    return files


def _workflow_files(workflow: JsonObject) -> dict[str, str]:
    folder, files, steps = f"workflows/{workflow['id']}", {}, list[Json]()
    for step in dicts(workflow["steps"]):
        shown = {name: value for name, value in step.items() if name != "openfn"}
        if step.get("expression"):
            files[f"{folder}/{step['id']}.js"] = str(step["expression"])
            shown["expression"] = f"./{step['id']}.js"
        if isinstance(targets := step.get("next"), dict):
            shown["next"] = {
                name: {key: value for key, value in edge.items() if key != "openfn"}
                for name, edge in targets.items()
                if isinstance(edge, dict)
            }
        steps.append(shown)
    openfn = workflow["openfn"]
    assert isinstance(openfn, dict)
    options: JsonObject = {
        name: openfn[name]
        for name, default in WORKFLOW_OPTIONS.items()
        if openfn.get(name, default) != default
    }
    shown = {**texts(workflow, "id", "name", "start"), "options": options or None, "steps": steps}
    files[f"{folder}/{workflow['id']}.yaml"] = to_yaml(without_nothing(shown))
    return files


def _openfn(document: JsonObject, endpoint: str) -> JsonObject:
    times = texts(document, "inserted_at", "updated_at")
    return {"uuid": document["id"], "endpoint": endpoint, **times}


def _collections(document: JsonObject) -> list[Json] | None:
    found = dicts(document.get("collections"))
    return [{"uuid": item["id"], "name": item["name"]} for item in found] or None


def _credential_keys(document: JsonObject) -> dict[str, str]:
    return {
        str(item["id"]): credential_key(item)
        for item in dicts(document.get("project_credentials"))
    }


def _workflow_openfn(item: JsonObject) -> JsonObject:
    skipped = {"id", "name", "jobs", "triggers", "edges", "version_history"}
    rest = {k: v for k, v in item.items() if k not in skipped and v is not None}
    return {"uuid": item["id"], **rest}


def _workflow(item: JsonObject, credentials: dict[str, str]) -> JsonObject:
    names = Names()
    triggers, jobs = dicts(item.get("triggers")), dicts(item.get("jobs"))
    keys: dict[str, str] = {}
    for trigger in triggers:
        kind = str(trigger["type"])
        wanted = slug(str(trigger.get("name") or kind))
        keys[str(trigger["id"])] = names.give(wanted, kind)
    for job in jobs:
        keys[str(job["id"])] = names.give(slug(str(job["name"])), str(job["id"]))
    edges = dicts(item.get("edges"))
    steps: list[JsonObject] = [_trigger(trigger, keys, edges) for trigger in triggers]
    steps += [_step(job, keys, edges, credentials) for job in jobs]
    steps.sort(key=lambda step: str(step["id"]))
    return without_nothing(
        {
            "id": slug(str(item["name"])) or str(item["id"]),
            "name": item["name"],
            "start": keys[str(triggers[0]["id"])] if triggers else None,
            "steps": list[Json](steps),
        }
    )


def _trigger(trigger: JsonObject, keys: dict[str, str], edges: list[JsonObject]) -> JsonObject:
    key = str(trigger["id"])
    rest = {k: v for k, v in trigger.items() if k not in _TRIGGER_OPENFN and v is not None}
    return {
        "id": keys[key],
        **texts(
            trigger, "type", "enabled", "custom_path", "cron_expression", "cron_cursor_job_id",
            *CRON_DEFAULTS, "webhook_reply", "webhook_response_config", "webhook_access",
        ),
        "openfn": {"uuid": key, **rest},
        "next": _next(edges, "source_trigger_id", key, keys),
    }  # fmt: skip


def _step(
    job: JsonObject, keys: dict[str, str], edges: list[JsonObject], credentials: dict[str, str]
) -> JsonObject:
    key = str(job["id"])
    rest = {k: v for k, v in job.items() if k not in _STEP_OPENFN and v is not None}
    credential = job.get("project_credential_id")
    step: JsonObject = {
        "id": keys[key],
        "name": job["name"],
        "adaptor": job["adaptor"],
        "expression": job["body"],
        "configuration": credentials.get(str(credential), credential) if credential else None,
        "openfn": {"uuid": key, **rest},
        "next": _next(edges, "source_job_id", key, keys) or None,
    }
    return without_nothing(step)


def _next(edges: list[JsonObject], end: str, key: str, keys: dict[str, str]) -> JsonObject:
    return {keys[str(e["target_job_id"])]: _edge(e) for e in edges if e.get(end) == key}


def _edge(edge: JsonObject) -> JsonObject:
    name = (
        "condition_expression" if edge["condition_type"] == "js_expression" else "condition_type"
    )
    return without_nothing(
        {
            "disabled": not edge.get("enabled", True),
            "condition": edge.get(name),
            "label": edge.get("condition_label"),
            "openfn": {"uuid": edge["id"]},
        }
    )

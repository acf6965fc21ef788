"""The first file form from a provisioning document (`docs/spec/platform.md` 7.3). Pure.

What `GET /api/provision/yaml` answers and `holdfast pull --form 1` writes; `form_v1.py` reads it.
"""

from __future__ import annotations

from holdfast.model.json import Json, JsonObject
from holdfast.platform.project.merge import dicts
from holdfast.platform.project.model import CRON_DEFAULTS, KEPT
from holdfast.platform.project.writing import Names, hyphenated, texts, to_yaml, without_nothing

#: Members of the project that stand in its file when they differ from the default.
_PROJECT: JsonObject = {
    "concurrency": None,
    "retention_policy": "retain_all",
    "history_retention_period": None,
    "dataclip_retention_period": None,
    **KEPT,
}


def spec_text(document: JsonObject) -> str:
    """The project file's text."""
    return to_yaml(spec_of(document))


def spec_of(document: JsonObject) -> JsonObject:
    """The project file."""
    credentials: JsonObject = {}
    names = Names()
    keys: dict[str, str] = {}
    for item in dicts(document.get("project_credentials")):
        words = f"{item.get('owner') or ''} {item['name']}".strip()
        key = keys[str(item["id"])] = names.give(hyphenated(words), str(item["id"]))
        credentials[key] = texts(item, "name", "owner")
    spec: JsonObject = {"name": document["name"], **texts(document, "description")}
    for name, default in _PROJECT.items():
        if document.get(name, default) != default:
            spec[name] = document[name]
    spec["credentials"] = credentials or None
    collections: JsonObject = {
        str(item["name"]): {"name": item["name"]} for item in dicts(document.get("collections"))
    }
    spec["collections"] = collections or None
    spec["channels"] = _channels(document, keys)
    spec["webhook_keys"] = webhook_keys(document)
    names = Names()
    spec["workflows"] = {
        names.give(hyphenated(str(item["name"])), str(item["name"])): _workflow(item, keys)
        for item in dicts(document.get("workflows"))
    }
    return without_nothing(spec)


def webhook_keys(document: JsonObject) -> JsonObject | None:
    """The keys that webhooks may ask for, by name; their secrets are nowhere in a document."""
    keys: JsonObject = {
        str(item["name"]): {"type": item["type"]} for item in dicts(document.get("webhook_keys"))
    }
    return keys or None


def _channels(document: JsonObject, keys: dict[str, str]) -> JsonObject | None:
    channels: JsonObject = {}
    for item in dicts(document.get("channels")):
        members = {name: value for name, value in item.items() if name != "id"}
        if credential := members.pop("destination_credential_id", None):
            members["destination_credential"] = keys.get(str(credential), credential)
        channels[hyphenated(str(item["name"]))] = members
    return channels or None


def _workflow(item: JsonObject, credentials: dict[str, str]) -> JsonObject:
    names = Names()
    jobs = {
        str(job["id"]): (names.give(hyphenated(str(job["name"])), str(job["name"])), job)
        for job in dicts(item.get("jobs"))
    }
    keys = {key: name for key, (name, _) in jobs.items()}
    names = Names()
    triggers = {
        str(trigger["id"]): (
            names.give(str(trigger.get("name") or trigger["type"]), str(trigger["id"])),
            trigger,
        )
        for trigger in dicts(item.get("triggers"))
    }
    sources = {key: name for key, (name, _) in triggers.items()}
    names = Names()
    workflow: JsonObject = {
        "name": item["name"],
        **texts(item, "concurrency", "egress", "priority", "retry"),
    }
    if item.get("enable_job_logs") is False:
        workflow["enable_job_logs"] = False
    workflow["jobs"] = {name: _job(job, credentials) for name, job in jobs.values()}
    workflow["triggers"] = {name: _trigger(part, keys) for name, part in triggers.values()}
    workflow["edges"] = {
        names.give(_edge_name(edge, keys, sources), str(edge["id"])): _edge(edge, keys, sources)
        for edge in dicts(item.get("edges"))
    }
    return workflow


def _job(job: JsonObject, credentials: dict[str, str]) -> JsonObject:
    credential = job.get("project_credential_id")
    return {
        "name": job["name"],
        "adaptor": job["adaptor"],
        "credential": credentials.get(str(credential)) if credential else None,
        "body": job["body"],
    }


def _trigger(trigger: JsonObject, jobs: dict[str, str]) -> JsonObject:
    cursor = trigger.get("cron_cursor_job_id")
    return without_nothing(
        {
            **texts(trigger, "type", "custom_path", "cron_expression"),
            "cron_cursor_job": jobs.get(str(cursor)) if cursor else None,
            **texts(
                trigger,
                *CRON_DEFAULTS,
                "webhook_reply",
                "webhook_response_config",
                "webhook_access",
                "enabled",
            ),
        }
    )


def _edge_name(edge: JsonObject, jobs: dict[str, str], triggers: dict[str, str]) -> str:
    source = triggers.get(str(edge.get("source_trigger_id"))) or jobs.get(
        str(edge.get("source_job_id"))
    )
    return f"{source}->{jobs.get(str(edge.get('target_job_id')))}"


def _edge(edge: JsonObject, jobs: dict[str, str], triggers: dict[str, str]) -> JsonObject:
    source: Json = triggers.get(str(edge.get("source_trigger_id")))
    return without_nothing(
        {
            "source_trigger": source,
            "source_job": None if source else jobs.get(str(edge.get("source_job_id"))),
            "target_job": jobs.get(str(edge.get("target_job_id"))),
            **texts(edge, "condition_type", "condition_label", "condition_expression", "enabled"),
        }
    )

"""The version of a workflow: a hash of what it does (`docs/spec/platform.md` 7.2). Pure.

Made as `@openfn/project` makes it from the provisioning document, so that the `openfn` command
sees whether somebody else has changed a workflow since it was fetched.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable

from holdfast.model.json import Json, JsonObject
from holdfast.platform.project.collation import collation_key
from holdfast.platform.project.merge import dicts

#: Members of each part that the hash covers, in the order of their names.
_TRIGGER = (
    "cron_cursor_job_id", "cron_expression", "custom_path", "enabled", "type", "webhook_reply",
    "webhook_response_config",
)  # fmt: skip
_JOB = ("adaptor", "body", "keychain_credential_id", "name", "project_credential_id")
_EDGE = ("condition_expression", "condition_label", "condition_type", "enabled", "name")
#: An expression that reads like the name of a condition is taken for one.
_CONDITION = re.compile(r"always|never|on_job_success|on_job_failure")
_DIGITS = 12


def version_of(workflow: JsonObject, credentials: Iterable[JsonObject], source: str) -> str:
    """`source` and hash of a workflow as the provisioning document shows it.

    `credentials` are the document's `project_credentials`: owner and name count, not the id.
    """
    text = version_text(workflow, credentials)
    return f"{source}:{hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]}"


def same_version(one: str, other: str) -> bool:
    """Whether two versions have the same hash, whoever made them."""
    return one.rpartition(":")[2] == other.rpartition(":")[2]


def version_text(workflow: JsonObject, credentials: Iterable[JsonObject]) -> str:
    """What is hashed."""
    keys = {str(item["id"]): credential_key(item) for item in credentials}
    triggers = {str(item.get("type")): item for item in dicts(workflow.get("triggers"))}
    jobs = sorted(
        (_job(item, keys) for item in dicts(workflow.get("jobs"))),
        key=lambda job: collation_key(str(job.get("name") or "").lower()),
    )
    names = {str(item["id"]): kind for kind, item in triggers.items()}
    names |= {str(job["id"]): str(job.get("name")) for job in jobs}
    edges = sorted(
        (
            _edge(item, names)
            for item in sorted(dicts(workflow.get("edges")), key=lambda edge: str(edge.get("id")))
        ),
        key=lambda edge: collation_key(str(edge["name"])),
    )
    parts = [_texts(workflow, ("name",))]
    parts += [_texts(_trigger(item), _TRIGGER) for item in triggers.values()]
    parts += [_texts(job, _JOB) for job in jobs]
    parts += [_texts(edge, _EDGE) for edge in edges]
    return "".join(parts)


def credential_key(credential: JsonObject) -> str:
    """What a credential is called where ids are unknown."""
    return f"{credential.get('owner') or ''}|{credential['name']}"


def _trigger(item: JsonObject) -> JsonObject:
    return item if item.get("type") == "webhook" else {**item, "custom_path": None}


def _job(item: JsonObject, keys: dict[str, str]) -> JsonObject:
    """Without an empty body; with its credential by owner and name, unless that is a file's."""
    credential = item.get("project_credential_id")
    named = keys.get(str(credential), credential) if credential else None
    if isinstance(named, str) and named.endswith(".json"):
        named = None
    return {**item, "body": item.get("body") or None, "project_credential_id": named}


def _edge(item: JsonObject, names: dict[str, str]) -> JsonObject:
    source = item.get("source_trigger_id") or item.get("source_job_id")
    name = f"{names.get(str(source))}-{names.get(str(item.get('target_job_id')))}"
    edge: JsonObject = {
        **item,
        "name": name,
        "enabled": bool(item.get("enabled")),
        "condition_label": item.get("condition_label") or None,
    }
    expression = item.get("condition_expression")
    if item.get("condition_type") != "js_expression":
        edge["condition_expression"] = None
    elif isinstance(expression, str) and _CONDITION.fullmatch(expression):
        edge |= {"condition_type": expression, "condition_expression": None}
    return edge


def _texts(item: JsonObject, members: Iterable[str]) -> str:
    return "".join(_text(value) for name in members if (value := item.get(name)) is not None)


def _text(value: Json) -> str:
    """A value as JavaScript writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return str(value)

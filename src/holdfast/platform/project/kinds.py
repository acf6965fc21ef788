"""Which members a provisioning document has, and of which kind each one is. Pure.

A member of a wrong kind is refused: taken as if it were absent, it would remove what the platform
has (`edges: 5`), or undo a choice (`retention_policy: true`). Null is the default of each member.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from holdfast.model.json import Json, JsonObject

_TEXT, _FLAG, _OBJECT, _ITEMS, _OTHER = (
    "text", "true or false", "an object", "a list of objects", "checked elsewhere",
)  # fmt: skip
_ITEM: Mapping[str, str] = {"id": _OTHER, "delete": _FLAG}
_TIMES: Mapping[str, str] = {"inserted_at": _OTHER, "updated_at": _OTHER}
_KINDS: Mapping[str, Mapping[str, str]] = {
    "project": {
        **_TIMES,
        "id": _OTHER,
        "name": _TEXT,
        "description": _TEXT,
        "concurrency": _OTHER,
        "retention_policy": _TEXT,
        "history_retention_period": _OTHER,
        "dataclip_retention_period": _OTHER,
        "requires_mfa": _FLAG,
        "allow_support_access": _FLAG,
        "scheduled_deletion": _TEXT,
        "record": _FLAG,
        "env": _TEXT,
        "color": _TEXT,
        "parent_id": _TEXT,
        "version_history": _OTHER,
        "project_users": _OTHER,
        "project_repo_connection": _OTHER,
        "files": _OTHER,
        "project_credentials": _ITEMS,
        "collections": _ITEMS,
        "channels": _ITEMS,
        "webhook_keys": _ITEMS,
        "workflows": _ITEMS,
    },
    "workflow": {
        **_ITEM,
        **_TIMES,
        "name": _TEXT,
        "project_id": _OTHER,
        "lock_version": _OTHER,
        "version_history": _OTHER,
        "deleted_at": _OTHER,
        "concurrency": _OTHER,
        "enable_job_logs": _FLAG,
        "egress": _TEXT,
        "priority": _TEXT,
        "retry": _OTHER,
        "paused_at": _OTHER,
        "paused_by": _OTHER,
        "positions": _OBJECT,
        "jobs": _ITEMS,
        "triggers": _ITEMS,
        "edges": _ITEMS,
    },
    "job": {
        **_ITEM,
        **_TIMES,
        "name": _TEXT,
        "body": _TEXT,
        "adaptor": _TEXT,
        "project_credential_id": _TEXT,
        "keychain_credential_id": _TEXT,
    },
    "trigger": {
        **_ITEM,
        **_TIMES,
        "name": _TEXT,
        "type": _TEXT,
        "enabled": _FLAG,
        "custom_path": _TEXT,
        "cron_expression": _TEXT,
        "cron_cursor_job_id": _TEXT,
        "cron_timezone": _TEXT,
        "cron_overlap": _TEXT,
        "cron_catch_up": _TEXT,
        "webhook_reply": _TEXT,
        "webhook_response_config": _OBJECT,
        "webhook_access": _OTHER,
    },
    "edge": {
        **_ITEM,
        **_TIMES,
        "name": _TEXT,
        "source_trigger_id": _TEXT,
        "source_job_id": _TEXT,
        "target_job_id": _TEXT,
        "condition_type": _TEXT,
        "condition_expression": _TEXT,
        "condition_label": _TEXT,
        "enabled": _FLAG,
    },
    "credential": {**_ITEM, "name": _TEXT, "owner": _TEXT},
    "collection": {**_ITEM, "name": _TEXT},
}
#: What the entries of a list are.
_ENTRIES: Mapping[str, str] = {
    "workflows": "workflow",
    "jobs": "job",
    "triggers": "trigger",
    "edges": "edge",
    "project_credentials": "credential",
    "collections": "collection",
}


def kind_problems(document: JsonObject) -> Iterator[str]:
    """Every member of the document that is not known or of a wrong kind, with its place."""
    yield from _object("project", "", document)


def _object(kind: str, where: str, item: JsonObject) -> Iterator[str]:
    if item.get("delete") is True and kind != "project":
        return  # its other members say nothing
    kinds = _KINDS[kind]
    if extra := sorted(name for name in set(item) - set(kinds) if item[name] is not None):
        yield f"{where}extraneous parameters: {', '.join(extra)}"
    for name, wanted in kinds.items():
        value = item.get(name)
        if value is None or wanted == _OTHER:
            continue
        if not _is(wanted, value):
            yield f"{where}{name} must be {wanted}"
        elif name in _ENTRIES:
            yield from _entries(_ENTRIES[name], f"{where}", value)


def _entries(kind: str, where: str, value: Json) -> Iterator[str]:
    for entry in value.values() if isinstance(value, dict) else value:  # type: ignore[union-attr]
        if isinstance(entry, dict):
            name = entry.get("name") or entry.get("id") or "without a name"
            yield from _object(kind, f"{where}{kind} {name}: ", entry)


def _is(kind: str, value: Json) -> bool:
    if kind == _ITEMS:
        items = value.values() if isinstance(value, dict) else value
        return isinstance(value, dict | list) and all(isinstance(item, dict) for item in items)  # type: ignore[union-attr]
    return isinstance(value, {_TEXT: str, _FLAG: bool, _OBJECT: dict}[kind])

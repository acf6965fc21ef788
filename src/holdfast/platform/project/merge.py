"""A provisioning document laid over the project that the platform has. Pure.

A missing member stays unchanged and null means the default, in the project, its workflows and
their parts (`docs/spec/since-may-2026.md`, "Project documents"). A list of parts is complete: a
part that is not in it is removed, together with its edges. A missing workflow stays as it is,
because clients may send one workflow alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from holdfast.model.json import JsonObject

#: The lists of a workflow, those that edges refer to first.
_PARTS = ("jobs", "triggers", "edges")
#: Lists of the project that stay when they are left out, as its other members do.
_UNCHANGED = ("channels", "project_credentials")
_ENDS = ("source_job_id", "source_trigger_id", "target_job_id")
#: Members that exclude each other: a client that sends one unsets the other.
_EITHER = {
    "source_job_id": "source_trigger_id",
    "source_trigger_id": "source_job_id",
    "project_credential_id": "keychain_credential_id",
    "keychain_credential_id": "project_credential_id",
}


def merged(payload: JsonObject, current: JsonObject | None) -> JsonObject:
    """The complete document: each workflow of the payload with all its members."""
    if current is None:
        return payload
    known = by_id(current.get("workflows"))
    whole = {**_unlisted(current), **payload}
    for name in _UNCHANGED:
        if name not in payload and name in current:
            whole[name] = current[name]
    if "workflows" in payload:
        whole["workflows"] = [
            _workflow(item, known.get(str(item.get("id")).lower()))
            for item in dicts(payload["workflows"])
        ]
    return whole


def stale(payload: JsonObject, current: JsonObject | None) -> list[str]:
    """Names of workflows that others have changed since the sender looked: `lock_version` tells.

    A sender that gives none does not mind.
    """
    known = by_id((current or {}).get("workflows"))
    found = []
    for item in dicts(payload.get("workflows")):
        here, asked = known.get(str(item.get("id")).lower()), item.get("lock_version")
        if here is not None and asked is not None and asked != here["lock_version"]:
            found.append(str(here["name"]))
    return found


def _workflow(item: JsonObject, current: JsonObject | None) -> JsonObject:
    if is_deleted(item) or current is None:
        return item
    whole = {**_unlisted(current), **item}
    gone: set[str] = set()
    for part in _PARTS:
        parts = _parts(item.get(part), current.get(part), listed=part in item)
        if part == "edges":
            parts = [_cut(edge, gone) for edge in parts]
        elif part == "triggers":
            jobs = {str(job.get("id")).lower() for job in dicts(whole["jobs"])} - gone
            known = by_id(current.get("triggers"))
            parts = [_without_cursor(part, jobs, known) for part in parts]
        gone |= {str(entry["id"]) for entry in parts if is_deleted(entry)}
        whole[part] = parts  # type: ignore[assignment] # a list of objects is JSON
    return whole


def _parts(given: Any, current: Any, *, listed: bool) -> list[JsonObject]:
    """All parts: the given ones with their missing members filled in, then the removed ones.

    What is known keeps its place: files and clients write parts in an order of their own.
    """
    known = by_id(current)
    if not listed:
        return list(known.values())
    places = {key: place for place, key in enumerate(known)}
    parts = [_part(item, known.pop(str(item.get("id")).lower(), {})) for item in dicts(given)]
    parts.sort(key=lambda part: places.get(str(part.get("id")).lower(), len(places)))
    return parts + [{"id": key, "delete": True} for key in known]


def _part(item: JsonObject, current: JsonObject) -> JsonObject:
    if is_deleted(item):
        return item
    replaced = {other for name, other in _EITHER.items() if item.get(name)}
    return {**{key: value for key, value in current.items() if key not in replaced}, **item}


def _cut(edge: JsonObject, gone: set[str]) -> JsonObject:
    """Remove the edges of removed parts."""
    if not is_deleted(edge) and gone & {str(edge.get(end)) for end in _ENDS}:
        return {"id": edge.get("id"), "delete": True}
    return edge


def _without_cursor(
    trigger: JsonObject, jobs: set[str], known: dict[str, JsonObject]
) -> JsonObject:
    """A trigger that went on from the output of a job that is removed, begins anew.

    Clients that have removed the job go on sending its id; a new trigger has no such excuse.
    """
    cursor = trigger.get("cron_cursor_job_id")
    if (
        cursor is None
        or str(cursor).lower() in jobs
        or str(trigger.get("id")).lower() not in known
    ):
        return trigger
    return {**trigger, "cron_cursor_job_id": None}


def _unlisted(document: JsonObject) -> JsonObject:
    """Its members without the lists, which have rules of their own."""
    return {key: value for key, value in document.items() if not isinstance(value, list)}


def is_deleted(item: JsonObject) -> bool:
    """Whether the entry asks to remove its record; its other members are then ignored."""
    return item.get("delete") is True


def by_id(value: Any) -> dict[str, JsonObject]:
    return {str(item["id"]): item for item in dicts(value) if item.get("id")}


def dicts(value: Any) -> list[JsonObject]:
    """The entries of a list, or of a map keyed by name."""
    items: Iterable[Any] = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | list):
        return []
    return [item for item in items if isinstance(item, dict)]

"""Versions of a workflow: what differs between two, and the document that brings one back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from holdfast.model.json import Json, JsonObject
from holdfast.platform.causes.naming import Names
from holdfast.platform.project.difference import Change, difference, lines_between
from holdfast.platform.store import snapshots
from holdfast.platform.store.database import Connection
from holdfast.platform.web.language import say
from holdfast.platform.web.naming import read_names

#: Lines of a text's difference, and characters of a value.
_LINES, _VALUE = 400, 400
#: Members that are long texts: their lines are compared.
_TEXTS = frozenset({"body"})
#: Members that the worker made of others; a difference of theirs is no act of a person.
_MADE = frozenset({"adaptor_resolved"})
#: Members that rows keep as JSON text.
_AS_JSON = ("webhook_response_config", "webhook_access")


@dataclass(frozen=True, slots=True)
class Member:
    """What changed of a part: lines with `+` and `-`, or a value before and after."""

    name: str
    lines: list[str] = field(default_factory=list)
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Changed:
    """One part that is new (`+`), gone (`-`) or different (`~`)."""

    sign: str
    kind: str
    name: str
    members: list[Member]


def changes_between(
    before: Mapping[str, Any], after: Mapping[str, Any], names: Names
) -> list[Changed]:
    """What a person did from the parts `before` to the parts `after`."""
    found = difference(_document(before), _document(after))
    changed = [_changed(change, names) for change in found]
    return [item for item in changed if item.members or item.sign != "~"]


def changes_of(connection: Connection, workflow_id: str, version: int) -> list[Changed] | None:
    """What a version changed; None: there is no such version."""
    after = snapshots.parts_at(connection, workflow_id, version)
    if after is None:
        return None
    before = snapshots.parts_at(connection, workflow_id, version - 1) or snapshots.NO_PARTS
    return changes_between(before, after, read_names(connection, before, after))


def _document(parts: Mapping[str, Any]) -> JsonObject:
    """An edge is known by its ends: some clients give it a new id each time."""
    edges: list[Json] = [{**edge, "id": _ends(edge)} for edge in parts.get("edges", ())]
    return {"workflows": [{"id": "same", "name": "", **parts, "edges": edges}]}


def _ends(edge: Mapping[str, Any]) -> str:
    return f"{edge['source_trigger_id'] or edge['source_job_id']} {edge['target_job_id']}"


def _changed(change: Change, names: Names) -> Changed:
    members = [
        _member(name, before, after, names)
        for name, (before, after) in change.members.items()
        if name not in _MADE
    ]
    return Changed(change.sign, change.kind, change.name, members)


def _member(name: str, before: Json, after: Json, names: Names) -> Member:
    if name in _TEXTS:
        lines = islice(lines_between(before, after), _LINES)
        return Member(
            name, [line if len(line) <= _VALUE else f"{line[:_VALUE]}…" for line in lines]
        )
    label = name.removesuffix("_id")
    gone = (
        say("a %(replace)s that is gone", replace=label.replace("_", " "))
        if label != name
        else None
    )
    return Member(label, [], _words(before, names, gone), _words(after, names, gone))


def _words(value: Json, names: Names, gone: str | None) -> str:
    """`gone`: what an id without a name is called; None: it is no id."""
    if value is None or value == "":
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return names.by_id.get(text, gone or text)[:_VALUE]


def document_of(parts: Mapping[str, Any], today: Mapping[str, Any]) -> JsonObject:
    """The parts of a version as lists of the provisioning document.

    A trigger of `today` stays on or off as it is: to bring code back must not start anything.
    """
    enabled = {item["id"]: item["enabled"] for item in today["triggers"]}
    return {
        "jobs": [_job(item) for item in parts["jobs"]],
        "triggers": [
            {**_trigger(item), "enabled": enabled.get(item["id"], False)}
            for item in parts["triggers"]
        ],
        "edges": [dict(item) for item in parts["edges"]],
    }


def _job(item: Mapping[str, Any]) -> JsonObject:
    kept = {
        name: value
        for name, value in item.items()
        if name not in {"credential_id", "adaptor_resolved"}
    }
    keychain = kept.pop("keychain_credential_id", None)
    return {
        **kept,
        "project_credential_id": item["credential_id"],
        "keychain_credential_id": keychain,
    }


def _trigger(item: Mapping[str, Any]) -> JsonObject:
    read = {name: json.loads(item[name]) for name in _AS_JSON if item.get(name)}
    return {**item, **read}

"""A workflow that somebody edits: from the platform's document, to and from a form, and changes.

The whole draft travels in the form, so the server keeps nothing and the page works without a
script. Names of fields: `job:<id>:body`, `edge:<id>:target`, `trigger:<id>:cron`. Pure.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from holdfast.model.json import JsonObject
from holdfast.platform.project.model import DEFAULT_ADAPTOR
from holdfast.platform.web.hook import Hook
from holdfast.platform.web.positions import from_field, places_of, positions_of

KEYCHAIN = "keychain:"
_NEW_CODE = "fn(state => {\n  return state;\n});\n"


@dataclass(frozen=True, slots=True)
class Step:
    """A job. `credential`: its id, or `keychain:` and the id of a keychain; empty: none."""

    id: str
    name: str = ""
    adaptor: str = DEFAULT_ADAPTOR
    credential: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class Begin:
    """A trigger; what else it has stays as it is."""

    id: str
    type: str = "webhook"
    cron: str = ""
    zone: str = ""
    enabled: bool = False
    hook: Hook | None = None


@dataclass(frozen=True, slots=True)
class Path:
    """An edge. `source`: a trigger or a step."""

    id: str
    source: str = ""
    target: str = ""
    condition: str = "always"
    expression: str = ""
    label: str = ""
    on: bool = True


@dataclass(frozen=True, slots=True)
class Draft:
    """The workflow as the form has it. `base`: the version that it was made from.

    `places`: where people have put its parts.
    """

    name: str = ""
    base: int = 0
    steps: list[Step] = field(default_factory=list)
    begins: list[Begin] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    places: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def ids(self) -> set[str]:
        """Of everything that a path can begin at."""
        return {step.id for step in self.steps} | {begin.id for begin in self.begins}


def from_document(document: JsonObject) -> Draft:
    """The workflow of the provisioning document."""
    shown: Any = document
    return Draft(
        str(shown["name"]),
        int(shown["lock_version"]),
        [_step(item) for item in shown["jobs"]],
        [
            Begin(
                item["id"],
                item["type"],
                item.get("cron_expression") or "",
                item.get("cron_timezone") or "",
                bool(item["enabled"]),
                Hook.of_document(item) if item["type"] == "webhook" else None,
            )
            for item in shown["triggers"]
        ],
        [_path(item) for item in shown["edges"]],
        places_of(shown.get("positions")),
    )


def _step(item: dict[str, Any]) -> Step:
    keychain = item.get("keychain_credential_id")
    credential = f"{KEYCHAIN}{keychain}" if keychain else item.get("project_credential_id") or ""
    return Step(item["id"], item["name"], item["adaptor"], credential, item["body"])


def _path(item: dict[str, Any]) -> Path:
    return Path(
        item["id"],
        item.get("source_trigger_id") or item.get("source_job_id") or "",
        item["target_job_id"],
        item["condition_type"],
        item.get("condition_expression") or "",
        item.get("condition_label") or "",
        bool(item["enabled"]),
    )


def from_form(fields: Iterable[tuple[str, str]]) -> Draft:
    """What was sent. A field that no form of ours has is not looked at."""
    head: dict[str, str] = {}
    parts: dict[str, dict[str, dict[str, str]]] = {"job": {}, "trigger": {}, "edge": {}}
    for name, value in fields:
        kind, _, rest = name.partition(":")
        key, _, member = rest.partition(":")
        if kind in parts and key and member:
            parts[kind].setdefault(key, {})[member] = value.replace("\r\n", "\n")
        else:
            head[name] = value
    base = head.get("base", "")
    return Draft(
        head.get("name", "").strip(),
        int(base) if base.isascii() and base.isdigit() and len(base) < 10 else 0,
        [
            Step(key, m.get("name", "").strip(), m.get("adaptor", "").strip(),
                 m.get("credential", ""), m.get("body", ""))
            for key, m in parts["job"].items()
        ],
        [
            Begin(key, m.get("type", "webhook"), m.get("cron", "").strip(),
                  m.get("zone", "").strip(), "on" in m,
                  Hook.of_form(m) if m.get("type", "webhook") == "webhook" else None)
            for key, m in parts["trigger"].items()
        ],
        [
            Path(key, m.get("source", ""), m.get("target", ""), m.get("condition", "always"),
                 m.get("expression", "").strip(), m.get("label", "").strip(), "on" in m)
            for key, m in parts["edge"].items()
        ],
        from_field(head.get("positions", "")),
    )  # fmt: skip


def to_document(draft: Draft, workflow_id: str) -> JsonObject:
    """What is sent to the platform; it judges."""
    begins = {begin.id for begin in draft.begins}
    return {
        "id": workflow_id,
        "name": draft.name,
        "lock_version": draft.base,
        "jobs": [_job(step) for step in draft.steps],
        "triggers": [
            {
                "id": begin.id,
                "type": begin.type,
                "cron_expression": begin.cron or None,
                "cron_timezone": begin.zone or None,
                "enabled": begin.enabled,
                **(begin.hook.to_document() if begin.hook is not None else {}),
            }
            for begin in draft.begins
        ],
        "edges": [_edge(path, path.source in begins) for path in draft.paths],
        "positions": positions_of(draft.places, draft.ids),
    }


def _job(step: Step) -> JsonObject:
    chained = step.credential.startswith(KEYCHAIN)
    return {
        "id": step.id,
        "name": step.name,
        "adaptor": step.adaptor,
        "body": step.body,
        "project_credential_id": None if chained else step.credential or None,
        "keychain_credential_id": step.credential.removeprefix(KEYCHAIN) if chained else None,
    }


def _edge(path: Path, begins: bool) -> JsonObject:
    return {
        "id": path.id,
        "source_trigger_id": path.source if begins else None,
        "source_job_id": None if begins else path.source,
        "target_job_id": path.target,
        "condition_type": path.condition,
        "condition_expression": path.expression or None,
        "condition_label": path.label or None,
        "enabled": path.on,
    }


def to_parts(draft: Draft) -> dict[str, Any]:
    """Jobs, triggers and edges as the picture of a workflow wants them."""
    begins = {begin.id for begin in draft.begins}
    return {
        "jobs": [
            {"id": s.id, "name": s.name or "?", "adaptor_resolved": s.adaptor} for s in draft.steps
        ],
        "triggers": [
            {"id": b.id, "type": b.type, "cron_expression": b.cron, "enabled": b.enabled}
            for b in draft.begins
        ],
        "edges": [_edge(path, path.source in begins) for path in draft.paths],
    }


def changed(draft: Draft, act: str) -> tuple[Draft, str | None]:
    """The draft after a button: `after:<id>`, `remove:<id>`, `connect:<id>:<id>`, `arrange`,
    which also may say where (`arrange:<positions>`), `add-edge`, `add-trigger`.

    Also the id of the part that is new, which the page opens. Other acts change nothing.
    """
    what, _, key = act.partition(":")
    if what == "after" and (key in draft.ids or not key):
        return _with_step(draft, key)
    if what == "add-edge" and draft.steps:
        return _with_path(draft)
    if what == "add-trigger":
        return _with_begin(draft)
    if what == "remove":
        draft = _without(draft, key)
    if what == "connect":
        draft = _connected(draft, *key.partition(":")[::2])
    if what == "arrange":
        draft = replace(draft, places=from_field(key))
    return draft, None


def way_back(before: Draft, after: Draft, act: str) -> str:
    """The act that takes this one back; empty: only the whole form before it does."""
    what = act.partition(":")[0]
    if what == "arrange":
        return f"arrange:{json.dumps(positions_of(before.places, before.ids))}"
    return f"remove:{after.paths[-1].id}" if what == "connect" else ""


def _with_path(draft: Draft) -> tuple[Draft, str]:
    first, last = (draft.begins or draft.steps)[0].id, draft.steps[-1].id
    path = Path(_new_id(), first, last)
    return replace(draft, paths=[*draft.paths, path]), path.id


def _with_begin(draft: Draft) -> tuple[Draft, str]:
    begin = Begin(_new_id(), "cron" if draft.begins else "webhook", "0 6 * * *")
    paths = [Path(_new_id(), begin.id, first) for first in _firsts(draft)]
    more = replace(draft, begins=[*draft.begins, begin], paths=[*draft.paths, *paths])
    return more, begin.id


def _with_step(draft: Draft, source: str) -> tuple[Draft, str]:
    step = Step(_new_id(), _free_name([s.name for s in draft.steps]), body=_NEW_CODE)
    paths = [_new_path(draft, source, step.id)] if source else []
    place = next((n for n, s in enumerate(draft.steps, 1) if s.id == source), len(draft.steps))
    steps = [*draft.steps[:place], step, *draft.steps[place:]]
    return replace(draft, steps=steps, paths=[*draft.paths, *paths]), step.id


def _new_path(draft: Draft, source: str, target: str) -> Path:
    begins = {begin.id for begin in draft.begins}
    condition = "always" if source in begins else "on_job_success"
    return Path(_new_id(), source, target, condition)


def _connected(draft: Draft, source: str, target: str) -> Draft:
    """With a path, unless there is one already, or it would lead in a circle."""
    known = source in draft.ids and target in {step.id for step in draft.steps}
    if not known or source in _reached(draft, target):
        return draft
    if any((path.source, path.target) == (source, target) for path in draft.paths):
        return draft
    return replace(draft, paths=[*draft.paths, _new_path(draft, source, target)])


def _reached(draft: Draft, start: str) -> set[str]:
    """The part and all that paths from it lead to."""
    after: dict[str, list[str]] = {}
    for path in draft.paths:
        after.setdefault(path.source, []).append(path.target)
    found, left = {start}, [start]
    while left:
        new = set(after.get(left.pop(), ())) - found
        found |= new
        left += new
    return found


def _firsts(draft: Draft) -> list[str]:
    """Steps that no other step leads to: where a new trigger begins."""
    steps = {step.id for step in draft.steps}
    reached = {path.target for path in draft.paths if path.source in steps}
    return [step.id for step in draft.steps if step.id not in reached][:1]


def _without(draft: Draft, key: str) -> Draft:
    """Without a part and the paths at it."""
    return replace(
        draft,
        steps=[step for step in draft.steps if step.id != key],
        begins=[begin for begin in draft.begins if begin.id != key],
        paths=[path for path in draft.paths if key not in {path.id, path.source, path.target}],
    )


def _free_name(taken: Sequence[str]) -> str:
    number = 1
    while (name := f"Step {len(taken) + number}") in taken:
        number += 1
    return name


def fresh(name: str) -> tuple[str, Draft]:
    """The id and the draft of a workflow that begins: a webhook that is off, and one step."""
    begin, step = Begin(_new_id()), Step(_new_id(), "Step 1", body=_NEW_CODE)
    draft = Draft(name, 0, [step], [begin], [Path(_new_id(), begin.id, step.id)])
    return _new_id(), draft


def _new_id() -> str:
    return str(uuid.uuid4())

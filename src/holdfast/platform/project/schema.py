"""A JSON Schema of project files, from the same lists of keys by which they are read. Pure.

Editors complete and check with it. It knows shapes and words; what only the whole file can tell
(names that must exist, circles) is found by `holdfast check`.
"""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.model.json import Json, JsonObject
from holdfast.platform.project import access, form_v1, form_v2, retry
from holdfast.platform.project.members import OPTIONS, WORKFLOW_OPTIONS
from holdfast.platform.project.model import CONDITIONS, PRIORITY
from holdfast.platform.project.rules import ENVIRONMENT, PROJECT_NAME, RETENTION
from holdfast.platform.project.schedule import CatchUp, Overlap

DIALECT = "http://json-schema.org/draft-07/schema#"  # the one that editors know best
#: What the reader takes for text: any plain value, as it is written.
_TEXT: JsonObject = {"type": ["string", "number", "boolean", "null"]}
_NEEDED: JsonObject = {"type": ["string", "number", "boolean"], "minLength": 1}
_FLAG: JsonObject = {"type": ["boolean", "null"]}
_NUMBER: JsonObject = {"type": ["integer", "null"], "minimum": 0}
_ANY: JsonObject = {}
_MAP: JsonObject = {"type": ["object", "null"]}
_LIST: JsonObject = {"type": ["array", "null"]}


def _part(name: str) -> JsonObject:
    return {"$ref": f"#/definitions/{name}"}


def _choice(words: Iterable[str]) -> JsonObject:
    return {"enum": [*map(str, words), None]}


def _map(part: JsonObject) -> JsonObject:
    return {**_MAP, "additionalProperties": part}


def _list(part: JsonObject) -> JsonObject:
    return {**_LIST, "items": part}


def _text(pattern: str) -> JsonObject:
    return {**_TEXT, "pattern": f"^({pattern})$"}


_CODE: JsonObject = {
    "anyOf": [_TEXT, {"type": "object", "properties": {"path": _TEXT}, "required": ["path"],
                      "additionalProperties": False}],
}  # fmt: skip
_RETRY: JsonObject = {
    **_MAP,
    "properties": {
        "times": {"type": "integer", "minimum": 1, "maximum": retry.MOST_TIMES},
        "backoff_seconds": {"type": "integer", "minimum": 0, "maximum": retry.LONGEST_WAIT},
        "on": {"type": "array", "items": {"enum": [*retry.RETRIED]}},
        "idempotent": {"type": "boolean"},
    },
    "additionalProperties": False,
}
_ACCESS: JsonObject = {
    **_MAP,
    "properties": {
        "keys": _list(_TEXT),
        "methods": _list({"enum": [*access.METHODS]}),
        "origins": _list(_TEXT),
    },
    "additionalProperties": False,
}
_STATUS: JsonObject = {"type": ["integer", "null"], "minimum": 200, "maximum": 599}
_CODES: JsonObject = {
    **_MAP,
    "properties": {"success_code": _STATUS, "error_code": _STATUS},
    "additionalProperties": False,
}
_KEYS = _map(
    {**_MAP, "properties": {"type": _choice(access.KEY_TYPES)}, "additionalProperties": False}
)

#: Shape and meaning of each member, whichever part has it.
_MEMBERS: dict[str, tuple[JsonObject, str]] = {
    "adaptor": (_TEXT, "Whose operations the code uses: http@7.2.10, or …@latest."),
    "adaptors": (_list(_TEXT), "The same as a list; the first one counts."),
    "allow_support_access": (_ANY, "Kept for clients."),
    "body": (_CODE, "The job's code, or {path: ./jobs/name.js}."),
    "channels": (_ANY, "Kept for clients."),
    "cli": (_ANY, "What OpenFn's command line keeps of itself."),
    "collections": (_ANY, "Collections that the workflows read and write."),
    "color": (_ANY, "Kept for clients."),
    "concurrency": (_NUMBER, "How many runs may be executed at a time."),
    "condition": (_TEXT, "always, on_job_success, on_job_failure, or an expression of state."),
    "condition_expression": (_TEXT, "JavaScript, true where the edge is followed."),
    "condition_label": (_TEXT, "What the edge is called on the page."),
    "condition_type": (_choice(CONDITIONS), "When the edge is followed."),
    "configuration": (_TEXT, "The credential of the step."),
    "credential": (_TEXT, "Key of the credential of the job."),
    "credentials": (_ANY, "Credentials by key; their secrets never stand in this file."),
    "cron_catch_up": (_choice(tuple(CatchUp)), "What becomes of times that passed unheard."),
    "cron_cursor": (_TEXT, "Step whose last state the next run begins with."),
    "cron_cursor_job": (_TEXT, "Job whose last state the next run begins with."),
    "cron_cursor_job_id": (_TEXT, "Step whose last state the next run begins with."),
    "cron_expression": (_TEXT, "Minute, hour, day, month, day of the week: 0 6 * * *"),
    "cron_overlap": (_choice(tuple(Overlap)), "Whether a run begins while the last one goes on."),
    "cron_timezone": (_TEXT, "Such as Africa/Nairobi; UTC where it is left out."),
    "dataclip_retention_period": (_NUMBER, "Days for which documents are kept."),
    "description": (_TEXT, "For people."),
    "disabled": (_FLAG, "Whether the edge is never followed."),
    "edges": (_map(_part("edge")), "What follows what."),
    "egress": (_TEXT, "What the runs may reach: public, none, or hosts. It can only narrow."),
    "enable_job_logs": (_FLAG, "Whether console.log of jobs is kept."),
    "enabled": (_FLAG, "Whether it counts."),
    "env": (_text(ENVIRONMENT.pattern), "Which values of credentials the runs get."),
    "expression": (_CODE, "The step's code, or the name of its file."),
    "globals": (_ANY, "Not read."),
    "history": (_list(_TEXT), "Versions, as OpenFn's command line keeps them."),
    "history_retention_period": (_NUMBER, "Days for which runs are kept."),
    "id": (_TEXT, "The platform's id."),
    "jobs": (_map(_part("job")), "The steps of the workflow, by key."),
    "label": (_TEXT, "What the edge is called on the page."),
    "name": (_TEXT, "What people call it."),
    "next": (_ANY, "What follows: a step's id, or a map of ids to conditions."),
    "openfn": (_MAP, "What the platform keeps of it."),
    "options": (_MAP, "Further members."),
    "parent_id": (_ANY, "Kept for clients."),
    "positions": (_ANY, "Where its parts are drawn."),
    "priority": (_choice(PRIORITY), "How soon its runs get a worker."),
    "record": (_FLAG, "Whether runs are kept whole, for `holdfast replay`."),
    "requires_mfa": (_ANY, "Kept for clients."),
    "retention_policy": (_choice(RETENTION), "Whether documents of runs are kept."),
    "retry": (_RETRY, "When a failed run starts again by itself."),
    "sandbox": (_ANY, "Kept for clients."),
    "scheduled_deletion": (_ANY, "Kept for clients."),
    "schema_version": (_TEXT, "The form of this file."),
    "source_job": (_TEXT, "Key of the job that the edge begins at."),
    "source_trigger": (_TEXT, "Key of the trigger that the edge begins at."),
    "start": (_TEXT, "Id of the first step."),
    "steps": (_list(_part("step")), "Triggers and steps."),
    "custom_path": (_TEXT, "A name of its own in the webhook's address."),
    "target_job": (_TEXT, "Key of the job that the edge leads to."),
    "triggers": (_map(_part("trigger")), "What starts the workflow, by key."),
    "type": (_choice(("webhook", "cron")), "What the trigger waits for."),
    "webhook_access": (_ACCESS, "Which keys, methods and origins the webhook takes."),
    "webhook_keys": (_KEYS, "Names and types of the keys of webhooks."),
    "webhook_reply": (_choice(("before_start", "after_completion")), "When the caller hears."),
    "webhook_response_config": (_CODES, "Status codes of the webhook's answers."),
    "workflows": (_ANY, "What the project does."),
}


def project_schema() -> JsonObject:
    """Of a file in either form."""
    second: JsonObject = {"anyOf": [{"required": ["schema_version"]}, {"required": ["cli"]}]}
    definitions = {**_first(), **_second()}
    return {
        "$schema": DIALECT,
        "title": "Holdfast project",
        "type": "object",
        "if": second,
        "then": _part("list_form"),
        "else": _part("map_form"),
        "definitions": definitions,
    }


def _first() -> JsonObject:
    name: JsonObject = {**_NEEDED, "pattern": f"^({PROJECT_NAME.pattern})$"}
    plain = _object(("id", "name", "owner"), {"name": _NEEDED, "owner": _TEXT}, ("name",))
    return {
        "map_form": _object(form_v1.PROJECT, {
            "name": name,
            "credentials": _map(plain),
            "collections": _map(_nullable(_object(("id", "name"), {}))),
            "channels": _map(_MAP),
            "workflows": _map(_part("workflow")),
        }, ("name", "workflows")),
        "workflow": _nullable(_object(form_v1.WORKFLOW, {})),
        "job": _nullable(_object(form_v1.JOB, {})),
        "trigger": _nullable(_object(form_v1.TRIGGER, {})),
        "edge": _object(form_v1.EDGE, {"target_job": _NEEDED}, ("target_job",)),
    }  # fmt: skip


def _second() -> JsonObject:
    ids: JsonObject = {"name": _NEEDED, "owner": _TEXT, "uuid": _TEXT}
    credential = _object(("name", "owner", "uuid"), ids, ("name",))
    collection = _object(("name", "uuid"), ids, ("name",))
    target: JsonObject = {"anyOf": [_TEXT, _object(form_v2.NEXT, {"name": _ANY})]}
    following: JsonObject = {"anyOf": [_TEXT, _map(target)]}
    members: JsonObject = {"next": following}
    foreign: JsonObject = {name: _ANY for name in form_v2.PROJECT_OPTIONS if name not in OPTIONS}
    return {
        "list_form": _object(form_v2.PROJECT, {
            "credentials": _list(credential),
            "collections": _list({"anyOf": [{"type": ["string", "number"]}, collection]}),
            "channels": _LIST,
            "options": _nullable(_object(form_v2.PROJECT_OPTIONS, foreign)),
            "workflows": _list(_part("list_workflow")),
        }, ("workflows",)),
        "list_workflow": _object(
            form_v2.WORKFLOW, {"options": _nullable(_object(WORKFLOW_OPTIONS, {}))}
        ),
        "step": {
            "if": {"type": "object", "required": ["type"]},
            "then": _object(form_v2.TRIGGER, members),
            "else": _object(form_v2.STEP, members),
        },
    }  # fmt: skip


def _nullable(part: JsonObject) -> JsonObject:
    return {**part, "type": ["object", "null"]}


def _object(
    names: Iterable[str], special: JsonObject, required: tuple[str, ...] = ()
) -> JsonObject:
    """A map with these members and no others. KeyError for one that nothing is said of."""
    properties: JsonObject = {}
    for name in names:
        shape, words = _MEMBERS.get(name, (_ANY, "")) if name in special else _MEMBERS[name]
        chosen: Json = special.get(name, shape)
        assert isinstance(chosen, dict), "shapes are objects"
        properties[name] = {**chosen, "description": words} if words else chosen
    found: JsonObject = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**found, "required": [*required]} if required else found

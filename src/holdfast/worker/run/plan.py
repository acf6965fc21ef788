"""A run's plan as Lightning sends it, made into a plan the engine executes. Pure.

Rules: `docs/spec/worker-protocol.md` sections 4.2 and 5.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import cast
from uuid import uuid4

from holdfast.model import bodies
from holdfast.model.adaptor_name import COLLECTIONS, USES_COLLECTIONS, full_name
from holdfast.model.errors import HoldfastError
from holdfast.model.json import Json, JsonObject
from holdfast.model.limits import NO_TIMEOUT_SECONDS, Limits

#: No limit means so much, in any unit; what JSON calls 1e999 is infinite.
_ENDLESS = 1e12


class BadPlan(HoldfastError):  # noqa: N818 - named for what came
    """The platform sent something that is not a plan."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A converted plan and what goes with it but must not be written beside it."""

    plan: JsonObject
    adaptors: tuple[str, ...]
    #: step id -> id of the credential to fetch
    credential_ids: dict[str, str]
    #: step id -> configuration that came with the plan
    inline: dict[str, JsonObject]
    dataclip_id: str | None
    project_id: str | None
    options: JsonObject
    #: what jobs see as the global `meta`, beside the run's id and start
    meta: JsonObject
    collections: bool = False
    #: id and version of the workflow, where the platform says them
    workflow: bodies.Workflow | None = None
    steps: tuple[str, ...] = field(default=())


def convert(plan: Json | bytes, *, collections_version: str | None) -> Prepared:
    """The engine's plan. `collections_version`: exact, or None where there are no collections.

    Raises BadPlan if the document is not a plan at all; what is wrong inside a workflow (unknown
    targets, cycles) is the engine's to say, so that its author reads the engine's words.
    """
    if not isinstance(plan, dict):
        message = "The platform sent no plan."
        raise BadPlan(message)
    triggers, jobs, edges = (_objects(plan, name) for name in ("triggers", "jobs", "edges"))
    steps: list[JsonObject] = [_trigger(item, edges) for item in triggers]
    credential_ids: dict[str, str] = {}
    inline: dict[str, JsonObject] = {}
    collections = False
    for job in jobs:
        step = _job(job, edges)
        steps.append(step)
        _credential(str(step["id"]), job, credential_ids, inline)
        if collections_version and USES_COLLECTIONS.search(str(job.get("body") or "")):
            collections = True
            _add_collections(step, collections_version)
    start = plan.get("starting_node_id")
    workflow: JsonObject = {"steps": cast("Json", steps)}
    for key in ("name", "globals"):
        if isinstance(plan.get(key), str):
            workflow[key] = plan[key]
    adaptors = [cast("list[str]", step.get("adaptors") or []) for step in steps]
    options = plan.get("options")
    dataclip, project = plan.get("dataclip_id"), _project(plan)
    return Prepared(
        {
            "id": plan.get("id"),
            "workflow": workflow,
            "options": {"start": start} if isinstance(start, str) and start else {},
        },
        tuple(dict.fromkeys(name for names in adaptors for name in names)),
        credential_ids,
        inline,
        dataclip if isinstance(dataclip, str) and dataclip else None,
        project,
        options if isinstance(options, dict) else {},
        _meta(plan, project),
        collections,
        _workflow(plan),
        tuple(str(step["id"]) for step in steps if "expression" in step),
    )


def _project(plan: JsonObject) -> str | None:
    """The project of a run; some platforms say it in `meta`."""
    meta = plan.get("meta")
    found = [plan.get("project_id"), meta.get("project_id") if isinstance(meta, dict) else None]
    return next((item for item in found if isinstance(item, str) and item), None)


def _workflow(plan: JsonObject) -> bodies.Workflow | None:
    """Which version of which workflow the run executes, where the platform says it."""
    meta = plan.get("meta")
    known: JsonObject = meta if isinstance(meta, dict) else {}
    key, version = known.get("workflow_id"), known.get("workflow_version")
    if not isinstance(key, str) or not isinstance(version, int) or version < 1:
        return None
    return {"id": key[: bodies.WORD], "version": version}


def _meta(plan: JsonObject, project: str | None) -> JsonObject:
    """`meta` in the names of jobs; what the platform does not say is left out."""
    given = plan.get("meta")
    known: JsonObject = given if isinstance(given, dict) else {}
    found = {
        "workOrderId": known.get("work_order_id"),
        "workflowId": known.get("workflow_id"),
        "projectId": project,
    }
    return {name: value for name, value in found.items() if isinstance(value, str) and value}


def limits_of(options: JsonObject, default: Limits) -> Limits:
    """The worker's limits with those that the platform set for this run."""
    given: dict[str, float] = {}
    for key, name, scale in (
        ("run_timeout_ms", "timeout_seconds", 0.001),
        ("run_memory_limit_mb", "memory_mb", 1),
        ("payload_limit_mb", "payload_mb", 1),
        ("log_payload_limit_mb", "log_payload_mb", 1),
        ("state_limit_mb", "state_limit_mb", 1),
    ):
        value = options.get(key)
        if not isinstance(value, int | float) or isinstance(value, bool):
            continue
        if 0 < value < _ENDLESS:
            given[name] = value * scale if scale != 1 else value
        elif value == 0 and name == "timeout_seconds":
            given[name] = NO_TIMEOUT_SECONDS
        elif value == 0 and name in {"payload_mb", "log_payload_mb"}:
            given[name] = 0  # everything is too large
    if "memory_mb" in given:
        given["memory_mb"] = max(1, int(given["memory_mb"]))
    return replace(default, **given)  # type: ignore[arg-type] # memory_mb is an int


def pin(plan: JsonObject, exact: dict[str, str]) -> None:
    """Write exact adaptor versions into the plan, in place."""
    workflow = cast("JsonObject", plan["workflow"])
    for step in cast("list[JsonObject]", workflow["steps"]):
        names = cast("list[str]", step.get("adaptors") or [])
        if names:
            step["adaptors"] = [exact.get(name, name) for name in names]


def credentials_of(
    prepared: Prepared, fetched: dict[str, Json], shared: JsonObject
) -> dict[str, JsonObject]:
    """step id -> configuration: the shared entries (collections) under the step's own."""
    configurations: dict[str, JsonObject] = {}
    for step in prepared.steps:
        own = prepared.inline.get(step)
        if own is None:
            body = fetched.get(prepared.credential_ids.get(step, ""))
            own = body if isinstance(body, dict) else {}
        merged = {**shared, **own}
        if merged:
            configurations[step] = merged
    return configurations


def _objects(plan: JsonObject, name: str) -> list[JsonObject]:
    items = plan.get(name)
    if items is None:
        return []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        message = f"The platform sent a plan whose {name} are not a list of objects."
        raise BadPlan(message)
    return cast("list[JsonObject]", items)


def _trigger(trigger: JsonObject, edges: list[JsonObject]) -> JsonObject:
    step: JsonObject = {"id": str(trigger.get("id") or uuid4())}
    following: JsonObject = {}
    for edge in edges:
        if edge.get("source_trigger_id") != trigger.get("id") or edge.get("enabled") is False:
            continue
        condition = edge.get("condition")
        always = condition in (None, "", "always")
        following[str(edge.get("target_job_id"))] = True if always else {"condition": condition}
    if following:
        step["next"] = following
    return step


def _job(job: JsonObject, edges: list[JsonObject]) -> JsonObject:
    identity = job.get("id")
    step: JsonObject = {"id": str(identity or uuid4())}
    if isinstance(job.get("name"), str):
        step["name"] = job["name"]
    step["expression"] = job["body"] if isinstance(job.get("body"), str) else ""
    adaptor = job.get("adaptor")
    step["adaptors"] = [full_name(adaptor)] if isinstance(adaptor, str) and adaptor else []
    if job.get("state") is not None:
        step["state"] = job["state"]
    following: JsonObject = {}
    for edge in edges:
        if identity is None or edge.get("source_job_id") != identity:
            continue
        rule: JsonObject = {}
        if edge.get("condition"):
            rule["condition"] = edge["condition"]
        if edge.get("enabled") is False:
            rule["disabled"] = True
        following[str(edge.get("target_job_id"))] = rule or True
    if following:
        step["next"] = following
    return step


def _credential(
    step: str, job: JsonObject, ids: dict[str, str], inline: dict[str, JsonObject]
) -> None:
    chosen = job.get("credential")
    if chosen is None:
        chosen = job.get("credential_id")
    if isinstance(chosen, str) and chosen:
        ids[step] = chosen
    elif isinstance(chosen, dict):
        inline[step] = chosen


def _add_collections(step: JsonObject, version: str) -> None:
    adaptors = cast("list[Json]", step["adaptors"])
    if not any(str(name).startswith(COLLECTIONS) for name in adaptors):
        adaptors.append(f"{COLLECTIONS}@{version}")

"""What the page of a workflow shows, read from the database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from holdfast.model.json import JsonObject
from holdfast.platform.causes.naming import Names
from holdfast.platform.clock import now
from holdfast.platform.project.retry import RETRIED, USUAL, RetryRule
from holdfast.platform.project.schedule import Schedule
from holdfast.platform.project.write_v1 import spec_text
from holdfast.platform.start.admission import Options
from holdfast.platform.start.cron import next_times
from holdfast.platform.store import (
    documents,
    snapshots,
    webhook_keys,
    workflows,
)
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.store.history import Filters
from holdfast.platform.web.code import numbered
from holdfast.platform.web.curl import Key, curl_lines
from holdfast.platform.web.data import newest
from holdfast.platform.web.graph import layout
from holdfast.platform.web.health import weeks
from holdfast.platform.web.language import say
from holdfast.platform.web.naming import read_names
from holdfast.platform.web.positions import of_workflow
from holdfast.platform.web.words import edge_words

#: Characters of a job's code, runs and versions that the page has; next times of a clock.
CODE, RUNS, VERSIONS, SOON = 50_000, 10, 30, 5
_HEAD = """\
# One workflow of the project. `holdfast deploy` takes a file as the whole project: it removes
# the workflows that the file leaves out. Put this into the project's own file to deploy it.
"""


@dataclass(frozen=True, slots=True)
class Start:
    """A trigger: what starts the workflow. `curl`: what somebody sends, a line for each way."""

    id: str
    kind: str
    title: str
    enabled: bool
    address: str = ""
    reply: str = ""
    curl: tuple[str, ...] = ()
    expression: str = ""
    zone: str = ""
    soon: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Way:
    """An edge from or to the chosen step: the other end, and when it is gone."""

    id: str
    name: str
    when: str
    enabled: bool


def flow_view(
    connection: Connection, workflow_id: str, chosen: str | None, base: str
) -> dict[str, Any] | None:
    """None: there is no such workflow. `chosen`: a part of it; `base`: the public address."""
    row = workflows.find_workflow(connection, workflow_id)
    if row is None:
        return None
    parts = snapshots.parts_of(connection, snapshots.newest_snapshot(connection, workflow_id))
    names = read_names(connection, parts)
    jobs = {job["id"]: job for job in parts["jobs"]}
    starts = [_start(connection, row, item, base) for item in parts["triggers"]]
    own = {start.id for start in starts} | set(jobs)
    current = chosen if chosen in own else next(iter([*jobs, *own]), None)
    job = jobs.get(current or "")
    return {
        "workflow": row,
        "parts": parts,
        "names": names,
        "starts": starts,
        "chosen": current,
        "job": job,
        "start": next((start for start in starts if start.id == current), None),
        "lines": numbered(str(job["body"])[:CODE]) if job else [],
        "before": _ways(parts, names, "target_job_id", current),
        "after": _ways(parts, names, "source", current),
        "graph": layout(
            parts,
            links=_links(workflow_id, own),
            current=current,
            kept=of_workflow(row.kept),
        ),
        "runs": newest(connection, Filters(workflow_id=workflow_id), RUNS),
        "health": weeks(connection, workflow_id, now()),
        "retry": RetryRule.of(json.loads(row.retry)) if row.retry else None,
        "retried": RETRIED,
        "usual": USUAL,
        "versions": snapshots.versions_of(connection, workflow_id, VERSIONS),
    }


def _links(workflow_id: str, own: set[str]) -> dict[str, str]:
    return {key: f"/workflows/{workflow_id}?part={key}#part" for key in own}


def _ways(parts: Mapping[str, Any], names: Names, end: str, chosen: str | None) -> list[Way]:
    """`end`: the edge's end at the chosen part, `target_job_id` or `source`."""
    found = []
    for edge in parts["edges"]:
        source, target = edge["source_trigger_id"] or edge["source_job_id"], edge["target_job_id"]
        here, other = (target, source) if end == "target_job_id" else (source, target)
        if here == chosen:
            name = names.by_id.get(other, other)
            when = "" if edge["condition_type"] == "always" else edge_words(edge)
            found.append(Way(other, name, when, bool(edge["enabled"])))
    return found


def _start(connection: Connection, row: Row, item: Mapping[str, Any], base: str) -> Start:
    if item["type"] != "webhook":
        expression = str(item["cron_expression"])
        zone = item.get("cron_timezone")
        schedule = Schedule(expression, zone or "UTC")
        return Start(
            item["id"],
            "cron",
            say("Cron"),
            item["enabled"],
            expression=expression,
            zone=zone or "UTC",
            soon=tuple(next_times(schedule, SOON) if item["enabled"] else ()),
        )
    path = item["custom_path"]
    address = f"{base}/i/{row.project_id}/{path}" if path else f"{base}/i/{item['id']}"
    options = Options.of(item.get("webhook_access"))
    keys = [
        Key(key.name, key.type, key.window_seconds is not None)
        for key in webhook_keys.kinds_of(connection, row.project_id)
        if key.name in options.keys
    ]
    return Start(
        item["id"],
        "webhook",
        say("Webhook"),
        item["enabled"],
        address,
        item["webhook_reply"] or "before_start",
        tuple(curl_lines(address, options.methods, keys)),
    )


def yaml_of(connection: Connection, workflow_id: str) -> str | None:
    """The workflow as part of a project's file in form 1; None: there is no such workflow."""
    row = workflows.find_workflow(connection, workflow_id)
    if row is None:
        return None
    shown = documents.workflow_document(connection, row)
    used = {job["project_credential_id"] for job in shown["jobs"]}  # type: ignore[union-attr, index, call-overload]  # a list of objects
    known = [c for c in documents.credentials_of(connection, row.project_id) if c["id"] in used]  # type: ignore[index, call-overload]
    document: JsonObject = {
        "name": row.project_name,
        "project_credentials": known,
        "workflows": [shown],
    }
    return _HEAD + spec_text(document)

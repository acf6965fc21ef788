"""What a retry does again: its jobs, and the requests that they were seen to make."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from holdfast.model.json import JsonObject
from holdfast.platform.store import steps
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.store.runs import find_run
from holdfast.platform.store.snapshots import parts_of


@dataclass(frozen=True, slots=True)
class Repeats:
    """`jobs`: names of those that ran and would run again, in their order. `requests`: those that
    were seen of them; None where the worker told the platform of none, as of runs that succeeded.
    `left_out`: so many earlier requests of the run it did not tell one by one. `may_be_missing`:
    the run's recorder died, so its last requests may be known to nobody.
    """

    jobs: dict[str, str]
    requests: list[JsonObject] | None = None
    left_out: int = 0
    may_be_missing: bool = False


def repeats(connection: Connection, run_id: str, step_id: str | None = None) -> Repeats | None:
    """Of a retry from this step, or from the start. None: there is no such run or step."""
    run = find_run(connection, run_id)
    step = None if step_id is None else steps.find_step(connection, run_id, step_id)
    if run is None or (step_id is not None and step is None):
        return None
    parts = parts_of(connection, run.snapshot_id)
    names = {job["id"]: str(job["name"]) for job in parts["jobs"]}
    again = None if step is None else jobs_again(parts, step.job_id)
    ran = dict.fromkeys(row.job_id for row in steps.steps_of(connection, run_id))
    jobs = {job: names.get(job, job) for job in ran if again is None or job in again}
    return _seen(run, jobs)


def jobs_again(parts: dict[str, Any], job_id: str) -> set[str]:
    """The job and all that come after it."""
    again, frontier = {job_id}, [job_id]
    while frontier:
        origin = frontier.pop()
        for edge in parts["edges"]:
            target = edge["target_job_id"]
            if edge["source_job_id"] == origin and target not in again:
                again.add(target)
                frontier.append(target)
    return again


def _seen(run: Row, jobs: dict[str, str]) -> Repeats:
    """From the post-mortem, which a worker sends of a run that did not succeed."""
    told = json.loads(run.postmortem or "null")
    requests = told.get("requests") if isinstance(told, dict) else None
    listed = requests.get("last") if isinstance(requests, dict) else None
    if not isinstance(requests, dict) or not isinstance(listed, list):
        return Repeats(jobs)
    known = [item for item in listed if isinstance(item, dict) and item.get("job") in jobs]
    named = [{**item, "job_name": jobs[str(item["job"])]} for item in known]
    counts = requests.get("counts")
    numbers = counts.values() if isinstance(counts, dict) else ()
    total = sum(number for number in numbers if isinstance(number, int))
    missing = requests.get("may_be_missing") is True
    return Repeats(jobs, named, max(0, total - len(listed)), missing)

"""What the API answers about runs, work orders, steps and log lines."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from holdfast.model.answers.pages import Number, Text


class Run(TypedDict):
    """A run. `postmortem` is there when one run is asked for."""

    state: str
    error_type: Text
    error_message: Text
    queue: str
    priority: int
    worker_name: Text
    created_by: Text
    options: dict[str, Any]
    versions: dict[str, Any] | None
    returns: int
    retries: int
    duration_ms: Number
    peak_memory_bytes: Number
    notes: list[Any]
    last_event: Text
    postmortem: NotRequired[dict[str, Any] | None]
    inserted_at: Text
    claimed_at: Text
    started_at: Text
    finished_at: Text
    lost_at: Text
    recovered_at: Text
    last_event_at: Text


class WorkOrder(TypedDict):
    """What one request has led to."""

    state: str
    scheduled_at: Text
    last_activity: Text
    inserted_at: Text
    updated_at: Text


class StepFacts(TypedDict):
    """What is known of a step. `mem` in bytes."""

    job_id: str
    job_name: Text
    exit_reason: Text
    error_type: Text
    error_message: Text
    started_at: Text
    finished_at: Text
    duration_ms: Number
    mem: dict[str, Any] | None
    input_dataclip_id: Text
    output_dataclip_id: Text
    output_error: Text
    repaired: Any


class Step(TypedDict):
    """A step of a run."""

    type: str
    id: str
    attributes: StepFacts


class LogLine(TypedDict):
    """A line of a log, cut when it is long (`truncated`). `message` may have colours (SGR)."""

    timestamp: Text
    level: str
    source: Text
    message: str
    truncated: bool


class NumberedLine(TypedDict):
    """A whole line of a run's log."""

    number: int
    timestamp: Text
    level: str
    source: Text
    message: str
    step_id: Text


class LogMeta(TypedDict):
    """How many lines the run has in all."""

    total: int


class Log(TypedDict):
    """Lines of a run's log."""

    data: list[NumberedLine]
    meta: LogMeta


class SearchMeta(TypedDict):
    """Ask again after this number while it is one."""

    searched_to: Number


class FoundLines(TypedDict):
    """Numbers of lines that have a text."""

    data: list[int]
    meta: SearchMeta


class RepeatedJob(TypedDict):
    """A job that a retry would do again."""

    id: str
    name: str


class Repeats(TypedDict):
    """What a retry would do again."""

    jobs: list[RepeatedJob]
    requests: Any
    left_out: Any
    may_be_missing: bool


class Created(TypedDict):
    """A new run and its work order."""

    work_order_id: str
    run_id: str


class Cancelled(TypedDict):
    """`cancelled`, or `cancelling` when its worker was asked to."""

    state: str


class Problem(TypedDict):
    """Runs of one workflow that failed for one cause, the newest first.

    `days`: how many on each of the last 14 days, today's last. `since_version`: the workflow's
    first one that was seen to fail so; `new`: runs of earlier ones were looked at, and none did.
    """

    code: str
    what: str
    turn: str
    step: Text
    project_id: str
    workflow_id: str
    workflow_name: str
    count: int
    runs: list[str]
    days: list[int]
    first_seen_at: Text
    last_seen_at: Text
    since_version: Number
    new: bool


class ProblemsMeta(TypedDict):
    """`looked_from`: all failures since then were looked at. `more`: there are older ones."""

    looked_from: Text
    more: bool
    most: int


class Problems(TypedDict):
    """Failures by their cause."""

    data: list[Problem]
    meta: ProblemsMeta

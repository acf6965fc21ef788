"""What the API answers about projects: workflows, collections, schedules, alerts, retention."""

from __future__ import annotations

from typing import Any, TypedDict, final

from holdfast.model.answers.pages import Number, PageLinks, PageMeta, Text


class Project(TypedDict):
    """A project without its workflows."""

    name: str
    description: Text
    concurrency: Number
    retention_policy: str
    history_retention_period: Number
    dataclip_retention_period: Number
    inserted_at: Text
    updated_at: Text


class Job(TypedDict):
    """A job. `adaptor_resolved` is what its runs use."""

    name: str
    body: str
    adaptor: str
    adaptor_resolved: Text


class Credential(TypedDict):
    """A credential, never its secret."""

    name: str
    owner: str
    schema: str
    external_id: Text
    oauth_client_id: Text
    environments: list[str]
    has_secret: bool
    inserted_at: Text
    updated_at: Text


class Collection(TypedDict):
    """A collection without its items."""

    name: str
    project_name: str
    items: int
    bytes: int
    inserted_at: Text
    updated_at: Text


@final
class CollectionItem(TypedDict):
    """An item of a collection."""

    key: str
    value: str
    created: str
    updated: str


@final
class CollectionPage(TypedDict):
    """Items, and where to go on."""

    items: list[CollectionItem]
    cursor: Text


class Upserted(TypedDict):
    """How many items were set."""

    upserted: int
    error: Text


class Deleted(TypedDict):
    """How many items were removed."""

    key: Text
    deleted: int
    error: Text


class WorkflowAnswer(TypedDict):
    """A workflow as in a project's document, twice: the second name is OpenFn's."""

    workflow: dict[str, Any]
    data: dict[str, Any]
    errors: dict[str, Any]


class WorkflowPage(TypedDict):
    """Workflows as in a project's document."""

    workflows: list[dict[str, Any]]
    data: list[dict[str, Any]]
    errors: dict[str, Any]
    included: list[Any]
    meta: PageMeta
    links: PageLinks


class Webhook(TypedDict):
    """Where a webhook is to be found."""

    workflow: str
    path: str
    enabled: bool
    reply: str


class Deployment(TypedDict):
    """What a deployment has done, for people."""

    created: bool
    changes: list[str]
    notes: list[str]
    webhooks: list[Webhook]


class Deployed(TypedDict):
    """A project's document after a deployment."""

    data: dict[str, Any]
    holdfast: Deployment


class Pause(TypedDict):
    """Since when, and by whom."""

    since: Text
    by: Text


class PausedWorkflow(TypedDict):
    """A workflow that rests."""

    id: str
    name: str
    since: Text
    by: Text


class Queue(TypedDict):
    """What waits and what is under way."""

    available: int
    claimed: int
    started: int
    by_queue: dict[str, int]
    oldest_waiting_seconds: float | None
    paused: Pause | None
    paused_workflows: list[PausedWorkflow]


class Paused(TypedDict):
    """Whether a workflow rests."""

    id: str
    paused: bool


class Schedule(TypedDict):
    """A cron trigger with its next times."""

    trigger_id: str
    workflow_id: str
    workflow: str
    cron_expression: str
    cron_timezone: Text
    cron_overlap: Text
    cron_catch_up: Text
    paused_at: Text
    next_times: list[str]


class Alert(TypedDict):
    """Whom a project tells, of what, and what became of it."""

    id: str
    kind: str
    to: str
    events: list[str]
    queue_seconds: int
    digest_minutes: int
    told: int
    told_at: Text
    waiting: int
    given_up: int
    problem: Text


class AlertId(TypedDict):
    """Which alert it is."""

    id: str


class Retention(TypedDict):
    """For how many days a project keeps things, and what is due; null: for ever."""

    documents: Number
    logs: Number
    runs: Number
    policy: str
    due: dict[str, int]


class Removed(TypedDict):
    """What was removed, or would be."""

    data: dict[str, int]
    dry_run: bool

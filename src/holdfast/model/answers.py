"""What the platform's API answers, in the types of its client and its OpenAPI document.

`tests/component/platform/test_client.py` holds real answers against them: a member that is
missing here, or is of another kind, fails. Times are texts such as `2026-01-31T12:00:00.000000Z`.
"""

from __future__ import annotations

from typing import Any, Generic, NotRequired, TypedDict, TypeVar, final

T = TypeVar("T")
Text = str | None
Number = int | None


class RelatedId(TypedDict):
    """The id of something else."""

    id: str


class Related(TypedDict):
    """A relationship of an item."""

    data: RelatedId


class SelfLink(TypedDict):
    """Where an item is to be had."""

    self: str


class Item(TypedDict, Generic[T]):
    """An entry of the read API."""

    type: str
    id: str
    attributes: T
    relationships: dict[str, Related]
    links: SelfLink


class PageMeta(TypedDict):
    """Which part of a list this is, counted from 1."""

    total_entries: int
    total_pages: int
    page_number: Number  # none of a page that `after`, `before` or `last` asks for
    page_size: int
    exact: NotRequired[bool]  # false: there may be more entries than were counted


class PageLinks(TypedDict):
    """Addresses of other parts of the list."""

    self: Text
    first: Text
    prev: Text
    next: Text
    last: Text


class Page(TypedDict, Generic[T]):
    """One part of a list."""

    data: list[T]
    included: list[Any]
    meta: PageMeta
    links: PageLinks


class Match(TypedDict):
    """Where the words of a search are: `log`, `input` or `output`."""

    kind: str
    first_line: NotRequired[int]
    last_line: NotRequired[int]
    dataclip_id: NotRequired[Text]


class FoundRun(TypedDict):
    """A run that a search has found; `lines`: numbers of some lines with one of the words."""

    type: str
    id: str
    attributes: Run
    relationships: dict[str, Related]
    links: SelfLink
    matches: list[Match]
    lines: list[int]


class SearchLinks(TypedDict):
    """Where the search goes on."""

    self: str
    next: Text


class SearchPage(TypedDict):
    """Runs that a search has found."""

    data: list[FoundRun]
    links: SearchLinks


class BulkCount(TypedDict):
    """How many runs there are for a bulk action."""

    total: int
    total_exact: bool


class BulkAction(TypedDict):
    """A retry or cancellation of many runs, and how far it is."""

    id: str
    action: str
    filters: dict[str, str]
    created_by: str
    state: str
    total: int
    total_exact: bool
    done: int
    skipped: int
    problem: Text
    inserted_at: Text
    finished_at: Text


class BulkBegun(TypedDict):
    """A bulk action that was begun, or with `dry_run` a count."""

    data: BulkAction | BulkCount
    dry_run: NotRequired[bool]


class One(TypedDict, Generic[T]):
    """One thing."""

    data: T


class Many(TypedDict, Generic[T]):
    """All of a short list."""

    data: list[T]


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
    """A line of a log, cut when it is long (`truncated`)."""

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


class Created(TypedDict):
    """A new run and its work order."""

    work_order_id: str
    run_id: str


class Cancelled(TypedDict):
    """`cancelled`, or `cancelling` when its worker was asked to."""

    state: str


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


class Worker(TypedDict):
    """A worker with the runs that it has open."""

    id: str
    name: Text
    version: Text
    capacity: Number
    queues: Any
    connected: bool
    active_runs: list[str]
    connected_at: Text
    disconnected_at: Text
    last_heartbeat_at: Text


class Me(TypedDict):
    """Who the token or session is, and what it may do."""

    kind: str
    name: str
    user_id: Text
    administrator: bool
    roles: dict[str, str]
    scopes: list[str]


class User(TypedDict):
    """An account."""

    id: str
    email: Text
    name: str
    administrator: bool
    disabled: bool
    inserted_at: Text


class NewUser(TypedDict):
    """An account; without a password, with a link that logs its owner in."""

    data: User
    path: NotRequired[str]
    expires_in_seconds: NotRequired[float]


class Link(TypedDict):
    """A path that logs a browser in, once."""

    path: str
    expires_in_seconds: float


class Member(TypedDict):
    """Somebody in a project."""

    user_id: str
    name: str
    email: Text
    role: str


class Membership(TypedDict):
    """A role that was given."""

    user_id: str
    role: str


class Token(TypedDict):
    """A token, never itself."""

    id: str
    name: str
    scopes: list[str]
    project_id: Text
    role: Text
    created_by: Text
    inserted_at: Text
    expires_at: Text
    last_used_at: Text
    revoked_at: Text


class NewToken(TypedDict):
    """A token with itself, which is shown this once."""

    data: Token
    token: str


class Session(TypedDict):
    """A login of one's own."""

    id: str
    current: bool
    agent: Text
    address: Text
    inserted_at: Text
    last_seen_at: Text
    expires_at: Text


class WebhookKey(TypedDict):
    """A key of webhooks, without its secret."""

    name: str
    type: str
    has_secret: bool
    window_seconds: Number
    old_secret_until: Text
    updated_at: Text


class SetKey(TypedDict):
    """What kind of key it is now."""

    name: str
    type: str
    window_seconds: Number


class NewKey(TypedDict):
    """A key; with its secret, this once, when that was made here."""

    data: SetKey
    secret: NotRequired[str]


class OAuthClient(TypedDict):
    """A client of OAuth 2, without its secret."""

    id: str
    name: str
    client_id: str
    has_secret: bool
    token_endpoint: str
    authorization_endpoint: Text
    scopes: list[str]
    inserted_at: Text
    updated_at: Text


class Keychain(TypedDict):
    """A keychain, which chooses a credential for each run."""

    id: str
    name: str
    path: str
    default_credential_id: Text
    inserted_at: Text
    updated_at: Text


class SchemaField(TypedDict):
    """A field of the form for a schema."""

    key: str
    kind: str
    title: str
    description: str
    required: bool
    secret: bool
    choices: list[Any]
    default: str
    example: str


class CredentialSchema(TypedDict):
    """A schema of credentials. `adaptor`: the exact version that it is from."""

    name: str
    adaptor: Text
    schema: dict[str, Any]
    fields: list[SchemaField]


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


class Event(TypedDict):
    """An event of the audit log."""

    id: int
    at: Text
    actor: Text
    actor_id: Text
    kind: str
    key_id: Text
    address: Text
    action: str
    status: int
    project_id: Text
    details: Any


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


class Rotated(TypedDict):
    """The id of the new encryption key, and how many secrets were sealed anew."""

    key: str
    sealed: int

"""A project as its author writes it: one model for two forms (`docs/spec/platform.md` 7.3)."""

from __future__ import annotations

from dataclasses import dataclass, field

from holdfast.model.json import Json, JsonObject
from holdfast.sandbox.egress import EgressError, option_of

CONDITIONS = ("always", "on_job_success", "on_job_failure", "js_expression")
#: As the queue sorts it; people's own starts are as urgent as `high`.
PRIORITY = {"high": 0, "normal": 1, "low": 2}
#: What a cron trigger does where its author says nothing.
CRON_DEFAULTS = {"cron_timezone": "UTC", "cron_overlap": "all", "cron_catch_up": "none"}
DEFAULT_ADAPTOR = "@openfn/language-common@latest"
#: Members of a project's document that the platform keeps and gives back, and their defaults.
#: `record`: its author agrees that runs are kept whole, for replays.
KEPT: JsonObject = {
    "record": False,
    "requires_mfa": False,
    "allow_support_access": False,
    "scheduled_deletion": None,
    "env": "main",
    "color": None,
    "parent_id": None,
}


@dataclass(slots=True)
class Job:
    """One step's code. `key` is how edges call it; `id` is empty until it has one."""

    key: str
    name: str
    body: str
    adaptor: str = DEFAULT_ADAPTOR
    credential: str | None = None
    #: Id of a keychain, which chooses a credential for each run.
    keychain: str | None = None
    id: str = ""


@dataclass(slots=True)
class Trigger:
    """What starts a workflow. `name` is what people call it; empty: its key."""

    key: str
    type: str
    enabled: bool = True
    custom_path: str | None = None
    cron_expression: str | None = None
    cron_cursor_job: str | None = None
    #: Empty: not said, which means UTC, `all` and `none` for a new trigger (`schedule.py`).
    cron_timezone: str = ""
    cron_overlap: str = ""
    cron_catch_up: str = ""
    #: Empty: not said, which means `before_start`.
    webhook_reply: str = ""
    webhook_response_config: JsonObject | None = None
    #: Keys, methods and origins (`access.py`).
    webhook_access: JsonObject | None = None
    id: str = ""
    name: str = ""


@dataclass(slots=True)
class Edge:
    """From a trigger or a job to a job, by their keys."""

    key: str
    target_job: str
    source_trigger: str | None = None
    source_job: str | None = None
    condition_type: str = "always"
    condition_expression: str | None = None
    condition_label: str | None = None
    enabled: bool = True
    id: str = ""


@dataclass(slots=True)
class Workflow:
    """Jobs, triggers and edges under one name."""

    key: str
    name: str
    jobs: list[Job] = field(default_factory=list)
    triggers: list[Trigger] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    concurrency: int | None = None
    enable_job_logs: bool = True
    #: How soon its runs get a worker: one of `PRIORITY`.
    priority: str = "normal"
    #: What its runs may reach, in the form of `holdfast worker --egress`; None: the worker's.
    egress: str | None = None
    id: str = ""
    #: When a failed run starts again by itself (`retry.py`).
    retry: Json = None
    #: Where its parts are drawn; kept for clients.
    positions: Json = None
    #: The newest version that the file was made from; empty: the file does not say.
    version: str = ""
    #: Members that the file names. All others stay as they are on the platform.
    named: frozenset[str] = frozenset()


@dataclass(slots=True)
class CredentialRef:
    """A credential the project needs; its secret is never in the file."""

    key: str
    name: str
    owner: str = ""
    id: str = ""


@dataclass(slots=True)
class CollectionRef:
    """A collection of the project; `id` is empty until it has one."""

    name: str
    id: str = ""


@dataclass(slots=True)
class Project:
    """Everything of one project file."""

    name: str
    description: str | None = None
    concurrency: int | None = None
    credentials: list[CredentialRef] = field(default_factory=list)
    collections: list[CollectionRef] = field(default_factory=list)
    workflows: list[Workflow] = field(default_factory=list)
    #: Keys of its webhooks: name -> type.
    webhook_keys: dict[str, str] = field(default_factory=dict)
    retention_policy: str = "retain_all"
    history_days: int | None = None
    dataclip_days: int | None = None
    id: str = ""
    #: Members of `KEPT` that were given, and the list of channels: kept for clients.
    kept: JsonObject = field(default_factory=dict)
    channels: list[Json] = field(default_factory=list)
    #: Key of each workflow that was fetched -> its newest version then, as far as the file says.
    forked_from: dict[str, str] = field(default_factory=dict)
    #: Members that the file has, as in a workflow.
    named: frozenset[str] = frozenset()


def egress_problem(text: str) -> str | None:
    """What is wrong with a workflow's egress policy, as the worker will read it."""
    try:
        option_of(text)
    except EgressError as error:
        return error.message
    return None

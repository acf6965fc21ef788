"""What the API answers about workers, people, tokens and sessions."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from holdfast.model.answers.pages import Number, Text


class Vitals(TypedDict):
    """What a worker tells of itself and its machine; what it does not tell is null."""

    at: Text
    ready: bool | None
    draining: bool | None
    reasons: list[str]
    uptime_seconds: float | None
    processors: Number
    load: list[float]
    machine_memory_mb: Number
    machine_memory_free_mb: Number
    runs_memory_mb: Number
    standby_memory_mb: Number
    memory_budget_mb: Number
    disk_free_mb: Number
    undelivered: Number
    oldest_undelivered_seconds: float | None
    isolation: Text
    memory_means: Text
    layers: list[str]
    missing_layers: dict[str, str | None]
    egress: Text
    zygotes: list[str]
    no_zygotes: Text
    node: Text
    adaptors: list[str]
    adaptor_count: Number


class Worker(TypedDict):
    """A worker with the runs that it has open. `vitals`: of ours, for administrators."""

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
    vitals: Vitals | None


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


class Rotated(TypedDict):
    """The id of the new encryption key, and how many secrets were sealed anew."""

    key: str
    sealed: int

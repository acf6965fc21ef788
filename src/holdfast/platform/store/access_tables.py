"""The tables of who may come in: accounts, sessions, tokens, keys of webhooks, the log."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from holdfast.platform.store.columns import identifier, moment, moments, refers
from holdfast.platform.store.tables import RowNumber, metadata

#: People who may log in (`store/accounts.py`). Without a password they come by a link or by
#: single sign-on.
users = Table(
    "users",
    metadata,
    identifier(),
    Column("email", String(255), unique=True),
    Column("name", String(255), nullable=False),
    Column("password", String(255)),  # argon2
    Column("administrator", Boolean, nullable=False, server_default=text("false")),
    moment("disabled_at"),
    *moments(),
)

members = Table(
    "members",
    metadata,
    Column("project_id", String(36), ForeignKey("projects.id"), primary_key=True),
    Column("user_id", String(36), ForeignKey("users.id"), primary_key=True),
    Column("role", String(16), nullable=False),
    moment("inserted_at", required=True),
    Index("ix_members_user_id", "user_id"),
)

#: People's sessions and one-time links to one, by digest (`store/sessions.py`).
sessions = Table(
    "sessions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("id", String(36), nullable=False, unique=True),
    refers("user_id", "users"),
    Column("agent", String(255), nullable=False, server_default=""),
    Column("address", String(64), nullable=False, server_default=""),
    moment("inserted_at", required=True),
    moment("seen_at", required=True),
    moment("expires_at", required=True),
    Index("ix_sessions_user_id", "user_id"),
)

session_links = Table(
    "session_links",
    metadata,
    Column("digest", String(64), primary_key=True),
    refers("user_id", "users"),
    moment("expires_at", required=True),
)

#: Tokens for programs, by digest: of a user, or of a project with a role (`store/api_tokens.py`).
api_tokens = Table(
    "api_tokens",
    metadata,
    identifier(),
    Column("digest", String(64), nullable=False, unique=True),
    Column("name", String(255), nullable=False),
    refers("user_id", "users", required=False),
    refers("project_id", "projects", required=False),
    Column("role", String(16)),
    Column("scopes", String(255), nullable=False),  # words with spaces between
    Column("created_by", String(255), nullable=False),
    moment("inserted_at", required=True),
    moment("expires_at"),
    moment("used_at"),
    moment("revoked_at"),
    Index("ix_api_tokens_user_id", "user_id"),
    Index("ix_api_tokens_project_id", "project_id"),
)

#: Lists with filters that somebody saved (`store/views.py`).
saved_views = Table(
    "saved_views",
    metadata,
    identifier(),
    refers("user_id", "users"),
    Column("name", String(100), nullable=False),
    Column("path", String(32), nullable=False),
    Column("query", Text, nullable=False),
    *moments(),
    UniqueConstraint("user_id", "name"),
)

#: Who an account is for a provider of single sign-on (`store/identities.py`).
identities = Table(
    "identities",
    metadata,
    Column("issuer", String(255), primary_key=True),
    Column("subject", String(255), primary_key=True),
    refers("user_id", "users"),
    moment("inserted_at", required=True),
    Index("ix_identities_user_id", "user_id"),
)

#: Programs that providers of OAuth 2 know us as (`store/oauth_clients.py`). `secret`: encrypted.
oauth_clients = Table(
    "oauth_clients",
    metadata,
    identifier(),
    Column("name", String(255), nullable=False, unique=True),
    Column("client_id", String(1000), nullable=False),
    Column("secret", LargeBinary),
    Column("token_endpoint", String(1000), nullable=False),
    Column("authorization_endpoint", String(1000)),
    Column("scopes", Text, nullable=False, server_default=""),
    *moments(),
)

#: Keys of webhooks (`store/webhook_keys.py`). `secrets`: encrypted JSON; null: none was set.
webhook_keys = Table(
    "webhook_keys",
    metadata,
    identifier(),
    refers("project_id", "projects"),
    Column("name", String(255), nullable=False),
    Column("type", String(16), nullable=False),
    Column("secrets", LargeBinary),
    Column("window_seconds", Integer),
    *moments(),
    UniqueConstraint("project_id", "name"),
)

#: Requests that may be sent again (`store/idempotency.py`).
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("trigger_id", String(36), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("work_order_id", String(36), nullable=False),
    Column("run_id", String(36), nullable=False),
    moment("inserted_at", required=True),
    Index("ix_idempotency_keys_inserted_at", "inserted_at"),
)

#: What people changed and looked at (`store/audit.py`). Rows refer to nothing: they outlive it.
audit_events = Table(
    "audit_events",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    moment("at", required=True),
    Column("actor", String(255), nullable=False),
    Column("actor_id", String(36)),
    Column("kind", String(16), nullable=False),
    Column("key_id", String(36)),
    Column("address", String(64), nullable=False),
    Column("action", String(255), nullable=False),
    Column("status", Integer, nullable=False),
    Column("project_id", String(36)),
    Column("details", Text, nullable=False),  # JSON object
    Index("ix_audit_events_project_id_id", "project_id", "id"),
    Index("ix_audit_events_actor_id", "actor", "id"),
)

"""Tables of alerts: whom to tell (rules), what is to be told (messages), what is wrong now."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint
from sqlalchemy import text as sql

from holdfast.platform.store.columns import identifier, moment, moments, refers
from holdfast.platform.store.tables import metadata

_DUE = sql("told_at IS NULL AND given_up_at IS NULL")

alert_rules = Table(
    "alert_rules",
    metadata,
    identifier(),
    refers("project_id", "projects"),
    Column("kind", String(16), nullable=False),  # webhook or mail
    Column("target", LargeBinary, nullable=False),  # encrypted: an address may hold a secret
    Column("shown", String(255), nullable=False),  # the same without what may be one
    Column("events", Text, nullable=False),  # JSON list
    Column("queue_seconds", Integer, nullable=False),
    Column("digest_minutes", Integer, nullable=False),  # 0: each is told at once
    *moments(),
    Index("ix_alert_rules_project_id", "project_id"),
)

#: The outbox. A row is one thing that one receiver is told once.
alert_messages = Table(
    "alert_messages",
    metadata,
    identifier(),
    refers("rule_id", "alert_rules"),
    Column("subject", String(64), nullable=False),  # the run, or since when a queue is old
    Column("event", String(16), nullable=False),
    Column("body", Text, nullable=False),  # JSON object
    moment("inserted_at", required=True),
    moment("due_at", required=True),
    Column("tries", Integer, nullable=False, server_default="0"),
    moment("told_at"),
    moment("given_up_at"),
    Column("problem", String(255)),  # of the last try
    UniqueConstraint("rule_id", "subject", "event"),
    Index("ix_alert_messages_due", "due_at", sqlite_where=_DUE, postgresql_where=_DUE),
    Index("ix_alert_messages_subject", "subject"),
    Index("ix_alert_messages_inserted_at", "inserted_at"),
)

#: A row is there while something is wrong: `workflow:<id>` fails, or `queue:<rule>` is old.
alert_states = Table(
    "alert_states",
    metadata,
    Column("name", String(64), primary_key=True),
    moment("since", required=True),
)

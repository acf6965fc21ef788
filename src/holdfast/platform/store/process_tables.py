"""The tables of the processes that serve this database or work for it, and of their switches."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Integer,
    String,
    Table,
    Text,
)

from holdfast.platform.store.columns import identifier, moment
from holdfast.platform.store.tables import metadata

#: Processes that serve this database (`store/liveness.py`).
platforms = Table(
    "platforms",
    metadata,
    identifier(),
    moment("started_at", required=True),
    moment("seen_at", required=True),
    moment("stopped_at"),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(255), primary_key=True),
    Column("platform_id", String(36)),  # which it is or was connected to
    Column("name", String(255)),
    Column("version", String(64)),
    Column("api_version", String(16)),
    Column("capacity", Integer, nullable=False, server_default="1"),
    Column("queues", Text, nullable=False),
    moment("connected_at", required=True),
    moment("disconnected_at"),
    moment("last_heartbeat_at", required=True),
    Column("vitals", Text),  # JSON object (`protocol/vitals.py`)
    moment("vitals_at"),
)

#: What people have switched for the whole platform: the row is there, or not (`pauses.py`).
controls = Table(
    "controls",
    metadata,
    Column("name", String(32), primary_key=True),
    moment("changed_at", required=True),
    Column("changed_by", String(255), nullable=False),
)

"""The tables of searches and of changes of many runs."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    text,
)

from holdfast.platform.store.columns import identifier, moment, refers
from holdfast.platform.store.tables import RowNumber, metadata

#: What can be searched (`store/search.py`). The words are in `search_words`, which SQLite and
#: PostgreSQL have in forms of their own; here they are kept only where SQLite needs them.
search_parts = Table(
    "search_parts",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("run_id", String(36), nullable=False),
    Column("project_id", String(36), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("first", Integer, nullable=False),  # numbers of lines
    Column("last", Integer, nullable=False),
    Column("clip_id", String(36)),
    Column("words", LargeBinary),
    Index("ix_search_parts_run_id_kind", "run_id", "kind"),
    Index("ix_search_parts_clip_id", "clip_id"),
    sqlite_autoincrement=True,  # a number that was removed is never given again
)

#: Retries and cancellations of many runs, worked off step by step (`store/bulk.py`).
bulk_actions = Table(
    "bulk_actions",
    metadata,
    identifier(),
    refers("project_id", "projects"),
    Column("action", String(16), nullable=False),
    Column("query", Text, nullable=False),  # JSON object: filters as a list of runs has them
    Column("created_by", String(255), nullable=False),
    Column("user_id", String(36)),  # whose rights count; null in both: the administrator's
    Column("token_id", String(36)),
    Column("state", String(16), nullable=False),
    Column("total", Integer, nullable=False),
    Column("total_exact", Boolean, nullable=False),
    Column("done", Integer, nullable=False, server_default="0"),
    Column("skipped", Integer, nullable=False, server_default="0"),
    Column("problem", Text),  # why the last one was skipped
    Column("tries", Integer, nullable=False, server_default="0"),  # at this place, that failed
    moment("place_at"),  # the last run that was looked at
    Column("place_key", String(36)),
    moment("inserted_at", required=True),
    moment("finished_at"),
    Index("ix_bulk_actions_project_id_inserted_at", "project_id", "inserted_at"),
    Index(
        "ix_bulk_actions_running",
        "inserted_at",
        sqlite_where=text("state = 'running'"),
        postgresql_where=text("state = 'running'"),
    ),
)

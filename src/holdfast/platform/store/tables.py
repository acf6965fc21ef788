"""The tables (`docs/spec/platform.md` 1.1). Ids are UUID text, times are whole microseconds (UTC).

One schema serves SQLite and PostgreSQL. Bodies of dataclips have a table of their own so that
lists never touch them (1.6). Columns of runs repeat workflow and project, so that a claim needs
one narrow index and no join.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    literal,
    text,
)

from holdfast.platform.store.columns import identifier, moment, moments, refers

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: SQLite gives row numbers to INTEGER keys only; PostgreSQL wants 64 bits.
RowNumber = BigInteger().with_variant(Integer(), "sqlite")

projects = Table(
    "projects",
    metadata,
    identifier(),
    Column("name", String(255), nullable=False, unique=True),
    Column("description", Text),
    Column("concurrency", Integer),
    Column("retention_policy", String(32), nullable=False, server_default="retain_all"),
    Column("history_retention_period", Integer),
    Column("dataclip_retention_period", Integer),
    Column("log_retention_period", Integer),
    Column("kept", Text),  # JSON object: members of its document that only clients read
    moment("last_claim_at"),
    *moments(),
)

workflows = Table(
    "workflows",
    metadata,
    identifier(),
    refers("project_id", "projects"),
    Column("name", String(255), nullable=False),
    Column("concurrency", Integer),
    Column("enable_job_logs", Boolean, nullable=False, server_default=text("true")),
    Column("egress", Text),
    Column("priority", Integer, nullable=False, server_default="1"),  # of runs it starts
    Column("retry", Text),  # JSON object (`project/retry.py`)
    moment("paused_at"),
    Column("paused_by", String(255)),
    Column("lock_version", Integer, nullable=False),
    Column("version_history", Text),  # JSON list, oldest first; null: none was recorded yet
    Column("kept", Text),  # as in projects
    moment("deleted_at"),
    *moments(),
    UniqueConstraint("project_id", "name"),
)

credentials = Table(
    "credentials",
    metadata,
    identifier(),
    refers("project_id", "projects"),
    Column("name", String(255), nullable=False),
    Column("owner", String(255), nullable=False, server_default=""),
    Column("schema", String(255), nullable=False, server_default="raw"),
    Column("external_id", String(255)),  # what keychains look for
    Column("oauth_client_id", String(36)),
    moment("deleted_at"),  # kept only for the secrets that runs have had
    *moments(),
    UniqueConstraint("project_id", "owner", "name"),
)

#: Encrypted bodies. Old ones are kept while a run has had them: what it wrote is cleaned of them.
credential_versions = Table(
    "credential_versions",
    metadata,
    identifier(),
    refers("credential_id", "credentials"),
    Column("body", LargeBinary, nullable=False),
    moment("inserted_at", required=True),
    Index("ix_credential_versions_credential_id", "credential_id"),
)

#: The secret of today for each environment that somebody has set one for.
credential_bodies = Table(
    "credential_bodies",
    metadata,
    Column("credential_id", String(36), ForeignKey("credentials.id"), primary_key=True),
    Column("environment", String(32), primary_key=True),
    refers("version_id", "credential_versions"),
    moment("refresh_until"),  # somebody renews its token until then
    Index("ix_credential_bodies_version_id", "version_id"),
)

#: Choose a credential by a value of the run's input (`store/keychains.py`).
keychains = Table(
    "keychains",
    metadata,
    identifier(),
    refers("project_id", "projects"),
    Column("name", String(255), nullable=False),
    Column("path", String(500), nullable=False),
    refers("default_credential_id", "credentials", required=False),
    *moments(),
    UniqueConstraint("project_id", "name"),
)

jobs = Table(
    "jobs",
    metadata,
    identifier(),
    refers("workflow_id", "workflows"),
    Column("name", String(255), nullable=False),
    Column("body", Text, nullable=False),
    Column("adaptor", String(255), nullable=False),  # as the author wrote it
    Column("adaptor_resolved", String(255), nullable=False),  # with an exact version
    refers("credential_id", "credentials", required=False),
    Column("keychain_credential_id", String(36)),
    Column("position", Integer, nullable=False),
    UniqueConstraint("workflow_id", "name"),
)

triggers = Table(
    "triggers",
    metadata,
    identifier(),
    refers("workflow_id", "workflows"),
    Column("name", String(255), nullable=False),
    Column("type", String(16), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("custom_path", String(255)),
    Column("cron_expression", String(255)),
    Column("cron_cursor_job_id", String(36)),
    Column("webhook_reply", String(32), nullable=False, server_default="before_start"),
    Column("webhook_response_config", Text),
    Column("webhook_access", Text),  # JSON object: keys, methods, origins
    Column("cron_timezone", String(64)),  # null in these three: `CRON_DEFAULTS`
    Column("cron_overlap", String(8)),
    Column("cron_catch_up", String(8)),
    moment("last_fired_at"),  # all times of a cron trigger up to this one are decided
    Index("ix_triggers_custom_path", "custom_path"),
)

edges = Table(
    "edges",
    metadata,
    identifier(),
    refers("workflow_id", "workflows"),
    Column("source_trigger_id", String(36)),
    Column("source_job_id", String(36)),
    Column("target_job_id", String(36), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("condition_type", String(32), nullable=False),
    Column("condition_expression", Text),
    Column("condition_label", String(255)),
    Column("position", Integer, nullable=False),
)

#: `body` is the JSON of jobs, triggers and edges: what a run executes, whatever changes later.
snapshots = Table(
    "snapshots",
    metadata,
    identifier(),
    refers("workflow_id", "workflows"),
    Column("lock_version", Integer, nullable=False),
    Column("name", String(255), nullable=False),
    Column("body", Text, nullable=False),
    Column("created_by", String(255)),  # null: before it was kept
    moment("inserted_at", required=True),
    UniqueConstraint("workflow_id", "lock_version"),
)

dataclips = Table(
    "dataclips",
    metadata,
    identifier(),
    refers("project_id", "projects"),
    Column("type", String(16), nullable=False),
    Column("name", String(255)),
    Column("size", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    moment("inserted_at", required=True),
    moment("wiped_at"),
    Index(
        "ix_dataclips_kept",
        "project_id",
        "inserted_at",
        sqlite_where=text("wiped_at IS NULL"),
        postgresql_where=text("wiped_at IS NULL"),
    ),
)

dataclip_bodies = Table(
    "dataclip_bodies",
    metadata,
    Column("dataclip_id", String(36), ForeignKey("dataclips.id"), primary_key=True),
    Column("body", Text, nullable=False),  # empty where there is a blob
    Column("request", Text),
    Column("blob_id", String(64)),  # of a large one (`store/blobs.py`)
)

#: How runs and work orders end that have no success: few of all, with indexes of their own.
BAD_STATES = ("failed", "crashed", "killed", "exception", "cancelled", "lost")
_SUCCEEDED = "state = 'success'"
_BAD = "state IN ('failed', 'crashed', 'killed', 'exception', 'cancelled', 'lost')"
_NOT_INDEXED = "indexed_at IS NULL AND finished_at IS NOT NULL"

work_orders = Table(
    "work_orders",
    metadata,
    identifier(),
    refers("project_id", "projects"),
    refers("workflow_id", "workflows"),
    refers("snapshot_id", "snapshots"),
    Column("trigger_id", String(36)),
    refers("dataclip_id", "dataclips", required=False),
    Column("state", String(16), nullable=False),
    moment("scheduled_at"),  # the time of the cron trigger that it was made for
    moment("last_activity", required=True),
    moment("inserted_at", required=True),
    Index("ix_work_orders_workflow_id_inserted_at", "workflow_id", "inserted_at"),
    Index("ix_work_orders_project_id_inserted_at", "project_id", "inserted_at"),
    Index("ix_work_orders_project_id_last_activity", "project_id", "last_activity"),
    Index(
        "ix_work_orders_unsuccessful",
        "state",
        "inserted_at",
        sqlite_where=text(_BAD),
        postgresql_where=text(_BAD),
    ),
    Index("ix_work_orders_dataclip_id", "dataclip_id"),
    Index("ix_work_orders_inserted_at", "inserted_at"),
    Index(
        "uq_work_orders_trigger_id_scheduled_at",
        "trigger_id",
        "scheduled_at",
        unique=True,
        sqlite_where=text("scheduled_at IS NOT NULL"),
        postgresql_where=text("scheduled_at IS NOT NULL"),
    ),
)

runs = Table(
    "runs",
    metadata,
    identifier(),
    refers("work_order_id", "work_orders"),
    Column("project_id", String(36), nullable=False),
    Column("workflow_id", String(36), nullable=False),
    refers("snapshot_id", "snapshots"),
    refers("dataclip_id", "dataclips", required=False),
    Column("starting_trigger_id", String(36)),
    Column("starting_job_id", String(36)),
    Column("created_by", String(255)),
    Column("state", String(16), nullable=False),
    Column("error_type", String(255)),
    Column("error_message", Text),
    Column("priority", Integer, nullable=False),
    Column("queue", String(32), nullable=False),
    Column("options", Text, nullable=False),
    moment("inserted_at", required=True),
    moment("claimed_at"),
    moment("started_at"),
    moment("finished_at"),
    Column("duration_ms", BigInteger),  # from its start to its end, as its worker told
    Column("peak_memory", BigInteger),  # the most that a job had, bytes
    moment("logs_removed_at"),
    moment("indexed_at"),  # all of it can be searched
    # the claim
    Column("worker_id", String(255)),
    Column("worker_name", String(255)),
    Column("claim_id", String(36)),
    moment("claim_expires_at"),
    moment("joined_at"),
    Column("platform_id", String(36)),  # where its channel is joined
    Column("returns", Integer, nullable=False, server_default="0"),
    Column("retries", Integer, nullable=False, server_default="0"),  # automatic ones before it
    # what is known when it ends badly
    moment("lost_at"),
    moment("recovered_at"),
    Column("last_event", String(64)),
    moment("last_event_at"),
    Column("postmortem", Text),  # JSON object, of a run that did not succeed
    Column("spans", Text),  # JSON object: its operations and requests
    Column("notes", Text),  # JSON list of {at, what, …}: refusals, returns, recoveries
    # results
    Column("versions", Text),
    refers("final_dataclip_id", "dataclips", required=False),
    Column("webhook_response", Text),
    Index(
        "ix_runs_claimable",
        "queue",
        "priority",
        "project_id",
        "workflow_id",
        "inserted_at",
        "id",
        sqlite_where=text("state = 'available'"),
        postgresql_where=text("state = 'available'"),
    ),
    Index(
        "ix_runs_under_way",
        "workflow_id",
        "project_id",
        sqlite_where=text("state IN ('claimed', 'started')"),
        postgresql_where=text("state IN ('claimed', 'started')"),
    ),
    Index("ix_runs_work_order_id_inserted_at", "work_order_id", "inserted_at"),
    Index("ix_runs_inserted_at", "inserted_at"),
    Index("ix_runs_workflow_id_inserted_at", "workflow_id", "inserted_at"),
    Index("ix_runs_project_id_inserted_at", "project_id", "inserted_at"),
    Index("ix_runs_worker_name_inserted_at", "worker_name", "inserted_at"),
    Index("ix_runs_duration_ms", "duration_ms"),
    Index("ix_runs_peak_memory", "peak_memory"),
    Index(  # with the columns of filters: a page looks at thousands of its entries
        "ix_runs_unsuccessful",
        "state",
        "inserted_at",
        "id",
        "workflow_id",
        "project_id",
        "duration_ms",
        sqlite_where=text(_BAD),
        postgresql_where=text(_BAD),
    ),
    Index(
        "ix_runs_succeeded",
        "workflow_id",
        "finished_at",
        sqlite_where=text(_SUCCEEDED),
        postgresql_where=text(_SUCCEEDED),
    ),
    Index(
        "ix_runs_error_type",
        "error_type",
        "inserted_at",
        sqlite_where=text("error_type IS NOT NULL"),
        postgresql_where=text("error_type IS NOT NULL"),
    ),
    Index("ix_runs_finished_at", "finished_at"),
    Index(
        "ix_runs_not_indexed",
        "finished_at",
        sqlite_where=text(_NOT_INDEXED),
        postgresql_where=text(_NOT_INDEXED),
    ),
    Index("ix_runs_dataclip_id", "dataclip_id"),
    Index("ix_runs_final_dataclip_id", "final_dataclip_id"),
    Index(
        "ix_runs_logged",
        "project_id",
        "finished_at",
        sqlite_where=text("logs_removed_at IS NULL"),
        postgresql_where=text("logs_removed_at IS NULL"),
    ),
)

steps = Table(
    "steps",
    metadata,
    identifier(),
    Column("job_id", String(36), nullable=False),
    refers("snapshot_id", "snapshots"),
    Column("input_dataclip_id", String(36)),
    Column("output_dataclip_id", String(36)),
    Column("output_error", String(64)),  # why there is no output: DATACLIP_TOO_LARGE
    moment("started_at", required=True),
    moment("finished_at"),
    Column("exit_reason", String(32)),
    Column("error_type", String(255)),
    Column("error_message", Text),
    Column("duration_ms", BigInteger),
    Column("mem", Text),
    Column("repaired", Boolean, nullable=False, server_default=text("false")),
    Index(
        "ix_steps_succeeded",
        "job_id",
        "finished_at",
        sqlite_where=text("exit_reason = 'success'"),
        postgresql_where=text("exit_reason = 'success'"),
    ),
    Index("ix_steps_output_dataclip_id", "output_dataclip_id"),
    Index(
        "ix_steps_open",
        "started_at",
        sqlite_where=text("exit_reason IS NULL"),
        postgresql_where=text("exit_reason IS NULL"),
    ),
)

run_steps = Table(
    "run_steps",
    metadata,
    Column("run_id", String(36), ForeignKey("runs.id"), primary_key=True),
    Column("step_id", String(36), ForeignKey("steps.id"), primary_key=True),
    Index("ix_run_steps_step_id", "step_id"),
)

log_lines = Table(
    "log_lines",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    refers("run_id", "runs"),
    Column("number", Integer, nullable=False),  # its place in the run's log, from 1
    Column("line_id", String(64)),  # given by a worker that may send a line twice
    Column("step_id", String(36)),
    moment("timestamp", required=True),
    Column("level", String(8), nullable=False),
    Column("source", String(8), nullable=False),
    Column("message", Text, nullable=False),
    Index("uq_log_lines_run_id_number", "run_id", "number", unique=True),
    Index("uq_log_lines_run_id_line_id", "run_id", "line_id", unique=True),
)

collections = Table(
    "collections",
    metadata,
    identifier(),
    refers("project_id", "projects"),
    Column("name", String(255), nullable=False),
    Column("byte_size_sum", BigInteger, nullable=False, server_default="0"),
    Column("item_count", BigInteger, nullable=False, server_default="0"),
    moment("deleted_at"),  # its items are removed step by step, then the row
    *moments(),
    UniqueConstraint("project_id", "name"),
)

collection_items = Table(
    "collection_items",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    refers("collection_id", "collections"),
    Column("size", Integer, nullable=False, server_default="0"),  # bytes of key and value
    *moments(),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
    UniqueConstraint("collection_id", "key"),
    Index("ix_collection_items_collection_id_id", "collection_id", "id"),
)

#: Failures that are retried later by themselves (`retries.py`).
retries = Table(
    "retries",
    metadata,
    Column("run_id", String(36), ForeignKey("runs.id"), primary_key=True),
    moment("due_at", required=True),
    Column("tries", Integer, nullable=False, server_default="0"),  # that failed
    Index("ix_retries_due_at", "due_at"),
)

#: The secrets that a run was given: its texts are cleaned of them, also after a restart.
run_secrets = Table(
    "run_secrets",
    metadata,
    Column("run_id", String(36), ForeignKey("runs.id"), primary_key=True),
    Column("version_id", String(36), ForeignKey("credential_versions.id"), primary_key=True),
    Index("ix_run_secrets_version_id", "version_id"),
)

#: What lists of runs need. The others may be large, and are shown with their own run only.
LISTED_RUN = [c for c in runs.c if c.name not in {"postmortem", "spans", "webhook_response"}]

#: Conditions written out, not bound, so that the partial indexes above serve them.
WAITING_STATES, UNDER_WAY_STATES = ("available",), ("claimed", "started")
WAITING = runs.c.state == literal(*WAITING_STATES, literal_execute=True)
UNDER_WAY = runs.c.state.in_(
    bindparam("under_way", list(UNDER_WAY_STATES), expanding=True, literal_execute=True)
)


def ended_badly(state: Any) -> ColumnElement[bool]:
    """The condition of the indexes of those that ended without success."""
    found: ColumnElement[bool] = state.in_(
        bindparam("bad", list(BAD_STATES), expanding=True, literal_execute=True)
    )
    return found

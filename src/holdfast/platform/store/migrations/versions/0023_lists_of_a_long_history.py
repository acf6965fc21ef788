"""Durations and memory of runs, and indexes for lists of a long history

What old runs had of memory stands in their steps: the indexer fills it in, run by run.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_BAD = sa.text("state IN ('failed', 'crashed', 'killed', 'exception', 'cancelled', 'lost')")
_TYPED = sa.text("error_type IS NOT NULL")
_INDEXES = (
    ("runs", "ix_runs_project_id_inserted_at", ["project_id", "inserted_at"], None),
    ("runs", "ix_runs_worker_name_inserted_at", ["worker_name", "inserted_at"], None),
    ("runs", "ix_runs_duration_ms", ["duration_ms"], None),
    ("runs", "ix_runs_peak_memory", ["peak_memory"], None),
    ("runs", "ix_runs_unsuccessful", ["state", "inserted_at"], _BAD),
    ("runs", "ix_runs_error_type", ["error_type", "inserted_at"], _TYPED),
    ("work_orders", "ix_work_orders_project_id_inserted_at", ["project_id", "inserted_at"], None),
    ("work_orders", "ix_work_orders_workflow_id_inserted_at",
     ["workflow_id", "inserted_at"], None),
    ("work_orders", "ix_work_orders_unsuccessful", ["state", "inserted_at"], _BAD),
)  # fmt: skip


def upgrade() -> None:
    op.add_column("runs", sa.Column("duration_ms", sa.BigInteger(), nullable=True))
    op.add_column("runs", sa.Column("peak_memory", sa.BigInteger(), nullable=True))
    op.execute(
        "UPDATE runs SET duration_ms = (finished_at - started_at) / 1000"
        " WHERE finished_at >= started_at AND state <> 'lost'"
    )
    op.execute("UPDATE runs SET worker_name = worker_id WHERE worker_name IS NULL")
    for table, name, columns, where in _INDEXES:
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
    op.drop_index("ix_work_orders_workflow_id_last_activity", "work_orders")


def downgrade() -> None:
    op.create_index(
        "ix_work_orders_workflow_id_last_activity", "work_orders", ["workflow_id", "last_activity"]
    )
    for table, name, _, _ in reversed(_INDEXES):
        op.drop_index(name, table)
    op.drop_column("runs", "peak_memory")
    op.drop_column("runs", "duration_ms")

"""Retention of logs, and indexes by which old documents, logs and runs are found"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_KEPT = sa.text("wiped_at IS NULL")
_LOGGED = sa.text("logs_removed_at IS NULL")


def upgrade() -> None:
    op.add_column("projects", sa.Column("log_retention_period", sa.Integer(), nullable=True))
    op.add_column("runs", sa.Column("logs_removed_at", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_dataclips_kept", "dataclips", ["project_id", "inserted_at"],
        sqlite_where=_KEPT, postgresql_where=_KEPT,
    )  # fmt: skip
    op.create_index(
        "ix_runs_logged", "runs", ["project_id", "finished_at"],
        sqlite_where=_LOGGED, postgresql_where=_LOGGED,
    )  # fmt: skip
    op.create_index(
        op.f("ix_work_orders_project_id_last_activity"), "work_orders",
        ["project_id", "last_activity"],
    )  # fmt: skip
    op.create_index(op.f("ix_work_orders_dataclip_id"), "work_orders", ["dataclip_id"])
    op.create_index(op.f("ix_runs_dataclip_id"), "runs", ["dataclip_id"])
    op.create_index(op.f("ix_runs_final_dataclip_id"), "runs", ["final_dataclip_id"])
    op.create_index(op.f("ix_steps_output_dataclip_id"), "steps", ["output_dataclip_id"])


def downgrade() -> None:
    op.drop_index("ix_steps_output_dataclip_id", "steps")
    op.drop_index("ix_runs_final_dataclip_id", "runs")
    op.drop_index("ix_runs_dataclip_id", "runs")
    op.drop_index("ix_work_orders_dataclip_id", "work_orders")
    op.drop_index("ix_work_orders_project_id_last_activity", "work_orders")
    op.drop_index("ix_runs_logged", "runs")
    op.drop_index("ix_dataclips_kept", "dataclips")
    op.drop_column("runs", "logs_removed_at")
    op.drop_column("projects", "log_retention_period")

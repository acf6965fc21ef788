"""Automatic retries: a workflow's rule, those that are to come, and how many came before a run"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workflows", sa.Column("retry", sa.Text(), nullable=True))
    none = sa.Column("retries", sa.Integer(), nullable=False, server_default="0")
    op.add_column("runs", none)
    op.create_table(
        "retries",
        sa.Column("run_id", sa.String(36), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_retries_run_id")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_retries")),
    )
    op.create_index(op.f("ix_retries_due_at"), "retries", ["due_at"])


def downgrade() -> None:
    op.drop_table("retries")
    op.drop_column("runs", "retries")
    op.drop_column("workflows", "retry")

"""Zones, overlap and catch-up of cron; pause and priority of workflows; pause of the queue"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_TIMED = sa.text("scheduled_at IS NOT NULL")
_COLUMNS = {"cron_timezone": 64, "cron_overlap": 8, "cron_catch_up": 8}


def upgrade() -> None:
    for name, length in _COLUMNS.items():
        op.add_column("triggers", sa.Column(name, sa.String(length), nullable=True))
    op.add_column("work_orders", sa.Column("scheduled_at", sa.BigInteger(), nullable=True))
    op.create_index(
        "uq_work_orders_trigger_id_scheduled_at", "work_orders", ["trigger_id", "scheduled_at"],
        unique=True, sqlite_where=_TIMED, postgresql_where=_TIMED,
    )  # fmt: skip
    usual = sa.Column("priority", sa.Integer(), nullable=False, server_default="1")
    op.add_column("workflows", usual)
    op.add_column("workflows", sa.Column("paused_at", sa.BigInteger(), nullable=True))
    op.add_column("workflows", sa.Column("paused_by", sa.String(255), nullable=True))
    op.create_table(
        "controls",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_by", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_controls")),
    )


def downgrade() -> None:
    op.drop_table("controls")
    for name in ("paused_by", "paused_at", "priority"):
        op.drop_column("workflows", name)
    op.drop_index("uq_work_orders_trigger_id_scheduled_at", "work_orders")
    op.drop_column("work_orders", "scheduled_at")
    for name in _COLUMNS:
        op.drop_column("triggers", name)

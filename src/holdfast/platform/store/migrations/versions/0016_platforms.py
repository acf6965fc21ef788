"""Platforms that share a database, and where workers and runs are connected"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_OPEN = sa.text("exit_reason IS NULL")


def upgrade() -> None:
    op.create_table(
        "platforms",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("stopped_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_platforms")),
    )
    op.add_column("workers", sa.Column("platform_id", sa.String(length=36), nullable=True))
    op.add_column("runs", sa.Column("platform_id", sa.String(length=36), nullable=True))
    op.create_index(
        "ix_steps_open", "steps", ["started_at"], sqlite_where=_OPEN, postgresql_where=_OPEN
    )


def downgrade() -> None:
    op.drop_index("ix_steps_open", "steps")
    op.drop_column("runs", "platform_id")
    op.drop_column("workers", "platform_id")
    op.drop_table("platforms")

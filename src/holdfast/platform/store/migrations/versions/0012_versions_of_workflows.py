"""Versions of workflows, and members of documents that are kept for clients."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workflows", sa.Column("version_history", sa.Text(), nullable=True))
    op.add_column("workflows", sa.Column("kept", sa.Text(), nullable=True))
    op.add_column("projects", sa.Column("kept", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("projects", "kept")
    op.drop_column("workflows", "kept")
    op.drop_column("workflows", "version_history")

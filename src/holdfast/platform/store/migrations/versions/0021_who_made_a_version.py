"""Who made a version of a workflow"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("snapshots", sa.Column("created_by", sa.String(length=255), nullable=True))


def downgrade() -> None:
    op.drop_column("snapshots", "created_by")

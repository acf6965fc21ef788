"""Why a run did not succeed, as its worker found out"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("postmortem", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("runs", "postmortem")

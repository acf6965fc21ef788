"""How often it failed to make a retry, and to go on with a bulk action"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_TABLES = ("retries", "bulk_actions")


def upgrade() -> None:
    for table in _TABLES:
        op.add_column(table, sa.Column("tries", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    for table in _TABLES:
        op.drop_column(table, "tries")

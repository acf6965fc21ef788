"""What workers tell of themselves"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("workers") as table:
        table.add_column(sa.Column("vitals", sa.Text()))
        table.add_column(sa.Column("vitals_at", sa.BigInteger()))


def downgrade() -> None:
    with op.batch_alter_table("workers") as table:
        table.drop_column("vitals_at")
        table.drop_column("vitals")

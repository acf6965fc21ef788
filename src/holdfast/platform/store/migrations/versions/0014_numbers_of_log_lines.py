"""Numbers of log lines"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.Column("number", sa.Integer(), nullable=False, server_default="0")
    op.add_column("log_lines", number)
    op.execute(
        "UPDATE log_lines SET number = n.number FROM (SELECT id, row_number() OVER"
        " (PARTITION BY run_id ORDER BY id) AS number FROM log_lines) n WHERE n.id = log_lines.id"
    )
    op.create_index(
        op.f("uq_log_lines_run_id_number"), "log_lines", ["run_id", "number"], unique=True
    )
    op.drop_index("ix_log_lines_run_id_id", "log_lines")


def downgrade() -> None:
    op.create_index(op.f("ix_log_lines_run_id_id"), "log_lines", ["run_id", "id"])
    op.drop_index("uq_log_lines_run_id_number", "log_lines")
    op.drop_column("log_lines", "number")

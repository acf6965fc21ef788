"""Whose rights a bulk action needs"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_COLUMNS = ("user_id", "token_id")


def upgrade() -> None:
    for name in _COLUMNS:
        op.add_column("bulk_actions", sa.Column(name, sa.String(36), nullable=True))
    # Nobody knows whose rights those under way have.
    op.execute(
        "UPDATE bulk_actions SET state = 'stopped',"
        " problem = 'The platform was upgraded: ask for it again.' WHERE state = 'running'"
    )


def downgrade() -> None:
    for name in _COLUMNS:
        op.drop_column("bulk_actions", name)

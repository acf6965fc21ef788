"""Finding alerts of a run and old ones; words of those that are done go"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_COLUMNS = ("subject", "inserted_at")
_DONE = (
    "UPDATE alert_messages SET body = '{}' WHERE told_at IS NOT NULL OR given_up_at IS NOT NULL"
)


def upgrade() -> None:
    for column in _COLUMNS:
        op.create_index(f"ix_alert_messages_{column}", "alert_messages", [column])
    op.execute(sa.text(_DONE))


def downgrade() -> None:
    for column in _COLUMNS:
        op.drop_index(f"ix_alert_messages_{column}", "alert_messages")

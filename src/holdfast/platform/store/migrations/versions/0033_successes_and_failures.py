"""Indexes of successes, the latest first, and of failures with what lists ask of them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

_BAD = sa.text("state IN ('failed', 'crashed', 'killed', 'exception', 'cancelled', 'lost')")
_RUNS, _STEPS = sa.text("state = 'success'"), sa.text("exit_reason = 'success'")
_OF_LISTS = ["state", "inserted_at", "id", "workflow_id", "project_id", "duration_ms"]


def _index(name: str, table: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def upgrade() -> None:
    op.drop_index("ix_runs_unsuccessful", "runs")
    _index("ix_runs_unsuccessful", "runs", _OF_LISTS, _BAD)
    _index("ix_runs_succeeded", "runs", ["workflow_id", "finished_at"], _RUNS)
    op.drop_index("ix_steps_job_id_started_at", "steps")
    _index("ix_steps_succeeded", "steps", ["job_id", "finished_at"], _STEPS)


def downgrade() -> None:
    op.drop_index("ix_steps_succeeded", "steps")
    op.create_index("ix_steps_job_id_started_at", "steps", ["job_id", "started_at"])
    op.drop_index("ix_runs_succeeded", "runs")
    op.drop_index("ix_runs_unsuccessful", "runs")
    _index("ix_runs_unsuccessful", "runs", _OF_LISTS[:2], _BAD)

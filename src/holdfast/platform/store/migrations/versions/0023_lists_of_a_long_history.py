"""Durations and memory of runs, and indexes for lists of a long history"""

from __future__ import annotations

import json
from itertools import groupby

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_BAD = sa.text("state IN ('failed', 'crashed', 'killed', 'exception', 'cancelled', 'lost')")
_TYPED = sa.text("error_type IS NOT NULL")
_ROWS = 5000
_INDEXES = (
    ("runs", "ix_runs_project_id_inserted_at", ["project_id", "inserted_at"], None),
    ("runs", "ix_runs_worker_name_inserted_at", ["worker_name", "inserted_at"], None),
    ("runs", "ix_runs_duration_ms", ["duration_ms"], None),
    ("runs", "ix_runs_peak_memory", ["peak_memory"], None),
    ("runs", "ix_runs_unsuccessful", ["state", "inserted_at"], _BAD),
    ("runs", "ix_runs_error_type", ["error_type", "inserted_at"], _TYPED),
    ("work_orders", "ix_work_orders_project_id_inserted_at", ["project_id", "inserted_at"], None),
    ("work_orders", "ix_work_orders_workflow_id_inserted_at",
     ["workflow_id", "inserted_at"], None),
    ("work_orders", "ix_work_orders_unsuccessful", ["state", "inserted_at"], _BAD),
)  # fmt: skip


def upgrade() -> None:
    op.add_column("runs", sa.Column("duration_ms", sa.BigInteger(), nullable=True))
    op.add_column("runs", sa.Column("peak_memory", sa.BigInteger(), nullable=True))
    op.execute(
        "UPDATE runs SET duration_ms = (finished_at - started_at) / 1000"
        " WHERE finished_at >= started_at AND state <> 'lost'"
    )
    op.execute("UPDATE runs SET worker_name = worker_id WHERE worker_name IS NULL")
    _fill_memory()
    for table, name, columns, where in _INDEXES:
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
    op.drop_index("ix_work_orders_workflow_id_last_activity", "work_orders")


def _fill_memory() -> None:
    """The most memory that a step of each run had; what is no number is left out."""
    connection, after = op.get_bind(), ""
    some = sa.text(
        "SELECT r.run_id, s.mem FROM run_steps r JOIN steps s ON s.id = r.step_id"
        " WHERE r.run_id > :after AND r.run_id <= :last ORDER BY r.run_id"
    )
    end = sa.text(
        "SELECT max(id) FROM (SELECT id FROM runs WHERE id > :after ORDER BY id LIMIT :n) AS piece"
    )
    fill = sa.text("UPDATE runs SET peak_memory = :peak WHERE id = :run")
    while last := connection.scalar(end, {"after": after, "n": _ROWS}):
        rows = connection.execute(some, {"after": after, "last": last}).all()
        filled = [
            {"run": run, "peak": peak}
            for run, steps in groupby(rows, lambda row: row[0])
            if (peak := max((_memory(row[1]) for row in steps), default=0))
        ]
        if filled:
            connection.execute(fill, filled)
        after = last


def _memory(text: str | None) -> int:
    told = json.loads(text) if text else None
    value = told.get("job") if isinstance(told, dict) else None
    return int(value) if isinstance(value, int | float) and 0 < value < 2**62 else 0


def downgrade() -> None:
    op.create_index(
        "ix_work_orders_workflow_id_last_activity", "work_orders", ["workflow_id", "last_activity"]
    )
    for table, name, _, _ in reversed(_INDEXES):
        op.drop_index(name, table)
    op.drop_column("runs", "peak_memory")
    op.drop_column("runs", "duration_ms")

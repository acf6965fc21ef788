"""Keys of webhooks, what a trigger asks of its requests, and requests that are sent again"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("triggers", sa.Column("webhook_access", sa.Text(), nullable=True))
    op.create_table(
        "webhook_keys",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("secrets", sa.LargeBinary(), nullable=True),
        sa.Column("window_seconds", sa.Integer(), nullable=True),
        sa.Column("inserted_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_webhook_keys_project_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_keys")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_webhook_keys_project_id_name")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("trigger_id", sa.String(length=36), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("work_order_id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("inserted_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("trigger_id", "digest", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(op.f("ix_idempotency_keys_inserted_at"), "idempotency_keys", ["inserted_at"])


def downgrade() -> None:
    op.drop_table("idempotency_keys")
    op.drop_table("webhook_keys")
    op.drop_column("triggers", "webhook_access")

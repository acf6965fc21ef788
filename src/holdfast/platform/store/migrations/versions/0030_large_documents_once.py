"""Large documents are kept once; those of before stay where they are"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("dataclip_bodies", sa.Column("blob_id", sa.String(64), nullable=True))
    op.create_table(
        "blobs",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("uses", sa.Integer(), nullable=False),
    )
    op.create_table(
        "blob_bodies",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("body", sa.Text(), nullable=False),
    )


def downgrade() -> None:
    op.execute(
        "UPDATE dataclip_bodies SET body = (SELECT b.body FROM blob_bodies b WHERE b.id = blob_id)"
        " WHERE blob_id IS NOT NULL"
    )
    op.drop_table("blob_bodies")
    op.drop_table("blobs")
    op.drop_column("dataclip_bodies", "blob_id")

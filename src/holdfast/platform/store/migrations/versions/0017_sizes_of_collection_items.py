"""Sizes of collection items, before the value, and collections that are being removed"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_ITEM = ("id", "collection_id", "size", "inserted_at", "updated_at", "key", "value")


def upgrade() -> None:
    op.add_column("collections", sa.Column("deleted_at", sa.BigInteger(), nullable=True))
    items = sa.Column("item_count", sa.BigInteger(), nullable=False, server_default="0")
    op.add_column("collections", items)
    op.execute(
        "UPDATE collections SET item_count = (SELECT count(*) FROM collection_items i"
        " WHERE i.collection_id = collections.id)"
    )
    size = sa.Column("size", sa.Integer(), nullable=False, server_default="0")
    if op.get_bind().dialect.name == "postgresql":
        op.add_column("collection_items", size)
        op.execute("UPDATE collection_items SET size = octet_length(key) + octet_length(value)")
        return
    # SQLite reads a row from its beginning: what lies behind a large value costs as much
    with op.batch_alter_table(
        "collection_items", recreate="always", partial_reordering=[_ITEM]
    ) as batch:
        batch.add_column(size)
    op.execute(
        "UPDATE collection_items SET"
        " size = length(CAST(key AS BLOB)) + length(CAST(value AS BLOB))"
    )


def downgrade() -> None:
    op.drop_column("collection_items", "size")
    op.drop_column("collections", "item_count")
    op.drop_column("collections", "deleted_at")

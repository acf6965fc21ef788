"""Full-text search"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_NOT_INDEXED = sa.text("indexed_at IS NULL AND finished_at IS NOT NULL")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("runs", sa.Column("indexed_at", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_runs_not_indexed", "runs", ["finished_at"],
        sqlite_where=_NOT_INDEXED, postgresql_where=_NOT_INDEXED,
    )  # fmt: skip
    op.create_table(
        "search_parts",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("run_id", sa.String(36), nullable=False),
        sa.Column("project_id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("clip_id", sa.String(36), nullable=True),
        sa.Column("words", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_parts")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_search_parts_run_id_kind", "search_parts", ["run_id", "kind"])
    op.create_index(op.f("ix_search_parts_clip_id"), "search_parts", ["clip_id"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TABLE search_words (part_id bigint PRIMARY KEY"
            " REFERENCES search_parts ON DELETE CASCADE, words tsvector NOT NULL)"
        )
        op.execute("CREATE INDEX ix_search_words_words ON search_words USING gin (words)")
    else:
        # the words are made by store/search_words.py: nothing that is not ASCII divides them
        op.execute(
            "CREATE VIRTUAL TABLE search_words USING fts5(marks, words, content='',"
            " detail=column, tokenize=\"ascii tokenchars '_'\")"
        )


def downgrade() -> None:
    op.execute("DROP TABLE search_words")
    op.drop_table("search_parts")
    op.drop_index("ix_runs_not_indexed", "runs")
    op.drop_column("runs", "indexed_at")

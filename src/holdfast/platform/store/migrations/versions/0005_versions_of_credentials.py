"""Each run remembers the version of a credential that it was given"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "credential_versions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("credential_id", sa.String(length=36), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("inserted_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["credential_id"],
            ["credentials.id"],
            name=op.f("fk_credential_versions_credential_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credential_versions")),
    )
    op.create_index(
        op.f("ix_credential_versions_credential_id"), "credential_versions", ["credential_id"]
    )
    op.create_table(
        "run_secrets",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("version_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_secrets_run_id")),
        sa.ForeignKeyConstraint(
            ["version_id"], ["credential_versions.id"], name=op.f("fk_run_secrets_version_id")
        ),
        sa.PrimaryKeyConstraint("run_id", "version_id", name=op.f("pk_run_secrets")),
    )
    op.create_index(op.f("ix_run_secrets_version_id"), "run_secrets", ["version_id"])
    op.add_column("credentials", sa.Column("version_id", sa.String(length=36), nullable=True))
    # what is known of the past: the credential as it is today, under its own id
    op.execute(
        "INSERT INTO credential_versions (id, credential_id, body, inserted_at)"
        " SELECT id, id, body, updated_at FROM credentials WHERE body IS NOT NULL"
    )
    op.execute("UPDATE credentials SET version_id = id WHERE body IS NOT NULL")
    op.execute(
        "INSERT INTO run_secrets (run_id, version_id)"
        " SELECT run_id, credential_id FROM run_credentials"
        " WHERE credential_id IN (SELECT id FROM credential_versions)"
    )
    op.drop_table("run_credentials")
    op.drop_column("credentials", "body")


def downgrade() -> None:
    op.add_column("credentials", sa.Column("body", sa.LargeBinary(), nullable=True))
    op.execute(
        "UPDATE credentials SET body = (SELECT body FROM credential_versions"
        " WHERE credential_versions.id = credentials.version_id)"
    )
    op.create_table(
        "run_credentials",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("credential_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_credentials_run_id")),
        sa.ForeignKeyConstraint(
            ["credential_id"], ["credentials.id"], name=op.f("fk_run_credentials_credential_id")
        ),
        sa.PrimaryKeyConstraint("run_id", "credential_id", name=op.f("pk_run_credentials")),
    )
    op.execute(
        "INSERT INTO run_credentials (run_id, credential_id)"
        " SELECT DISTINCT s.run_id, v.credential_id FROM run_secrets s"
        " JOIN credential_versions v ON v.id = s.version_id"
    )
    op.drop_table("run_secrets")
    op.drop_table("credential_versions")
    op.drop_column("credentials", "version_id")

"""Values of credentials by environment, keychains, OAuth 2, single sign-on"""

from __future__ import annotations

import json
import re

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def _text(name: str, length: int, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), nullable=null)


def _moment(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def upgrade() -> None:
    op.create_table(
        "oauth_clients",
        _text("id", 36),
        _text("name", 255),
        _text("client_id", 1000),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        _text("token_endpoint", 1000),
        _text("authorization_endpoint", 1000, null=True),
        sa.Column("scopes", sa.Text(), server_default="", nullable=False),
        _moment("inserted_at"),
        _moment("updated_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oauth_clients")),
        sa.UniqueConstraint("name", name=op.f("uq_oauth_clients_name")),
    )
    op.create_table(
        "credential_bodies",
        _text("credential_id", 36),
        _text("environment", 32),
        _text("version_id", 36),
        sa.Column("refresh_until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["credential_id"], ["credentials.id"], name=op.f("fk_credential_bodies_credential_id")
        ),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["credential_versions.id"],
            name=op.f("fk_credential_bodies_version_id"),
        ),
        sa.PrimaryKeyConstraint("credential_id", "environment", name=op.f("pk_credential_bodies")),
    )
    op.create_index(op.f("ix_credential_bodies_version_id"), "credential_bodies", ["version_id"])
    op.create_table(
        "keychains",
        _text("id", 36),
        _text("project_id", 36),
        _text("name", 255),
        _text("path", 500),
        _text("default_credential_id", 36, null=True),
        _moment("inserted_at"),
        _moment("updated_at"),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_keychains_project_id")
        ),
        sa.ForeignKeyConstraint(
            ["default_credential_id"],
            ["credentials.id"],
            name=op.f("fk_keychains_default_credential_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keychains")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_keychains_project_id_name")),
    )
    op.create_table(
        "identities",
        _text("issuer", 255),
        _text("subject", 255),
        _text("user_id", 36),
        _moment("inserted_at"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_identities_user_id")),
        sa.PrimaryKeyConstraint("issuer", "subject", name=op.f("pk_identities")),
    )
    op.create_index(op.f("ix_identities_user_id"), "identities", ["user_id"])
    for column in (
        _text("external_id", 255, null=True),
        _text("oauth_client_id", 36, null=True),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
    ):
        op.add_column("credentials", column)
    op.add_column("jobs", _text("keychain_credential_id", 36, null=True))
    _move_bodies()
    # a credential that was deleted while runs had had it was marked by its name
    op.execute("UPDATE credentials SET deleted_at = updated_at WHERE name = id")
    op.drop_column("credentials", "version_id")


def _move_bodies() -> None:
    """What there was is the value for the environment of its project."""
    connection = op.get_bind()
    rows = connection.execute(
        sa.text(
            "SELECT c.id, c.version_id, p.kept FROM credentials c"
            " JOIN projects p ON p.id = c.project_id WHERE c.version_id IS NOT NULL"
        )
    ).all()
    for row in rows:
        environment = str(json.loads(row.kept or "{}").get("env"))
        good = re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", environment)
        connection.execute(
            sa.text(
                "INSERT INTO credential_bodies (credential_id, environment, version_id)"
                " VALUES (:credential, :environment, :version)"
            ),
            {
                "credential": row.id,
                "environment": environment if good else "main",
                "version": row.version_id,
            },
        )


def downgrade() -> None:
    op.add_column("credentials", _text("version_id", 36, null=True))
    op.execute(
        "UPDATE credentials SET version_id = (SELECT min(version_id) FROM credential_bodies b"
        " WHERE b.credential_id = credentials.id)"
    )
    op.drop_column("jobs", "keychain_credential_id")
    for name in ("external_id", "oauth_client_id", "deleted_at"):
        op.drop_column("credentials", name)
    for table in ("identities", "keychains", "credential_bodies", "oauth_clients"):
        op.drop_table(table)

"""The version of the database's schema, and how a database is brought to one.

Alembic does the work. It is loaded only where there is some: it takes a tenth of a second.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

MIGRATIONS = Path(__file__).parent / "migrations"
#: Every revision of this version of Holdfast, the newest last: files are named by them.
REVISIONS = sorted(file.name[:4] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


class UnknownRevisionError(ValueError):
    """The schema of a database is of no revision that this version of Holdfast knows."""


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest revision. Raises UnknownRevisionError."""
    with engine.connect() as connection:
        if _revision(connection) != REVISIONS[-1]:
            connection.rollback()  # what looked has begun a transaction
            upgrade(connection, "head")


def upgrade(connection: Connection, revision: str) -> None:
    """Bring the schema to a revision that is not older than its own. As `migrate`."""
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, revision)
    except CommandError as error:
        raise UnknownRevisionError(str(error)) from error


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found

"""`holdfast platform backup`, `restore` and `verify`."""

from __future__ import annotations

from pathlib import Path

import click

from holdfast.cli import terminal
from holdfast.cli.kinds import Place
from holdfast.platform import backup
from holdfast.platform.settings import Settings
from holdfast.sandbox.courtesy import stand_back


@click.command("backup")
@click.argument("file", type=Place())
@click.option("--data", type=Place(), help="Data folder of the platform.")
@click.option("--keys", type=Place(), help="Also write its keys, into this file. Keep it apart.")
def backup_command(file: Path, data: Path | None, keys: Path | None) -> None:
    """Back up the database of a platform, while it runs.

    Credentials in it stay encrypted. Without the keys nobody can read them, so keep both, apart.
    The command lets all other programs of the machine go first.
    """
    stand_back()
    _tell("backed up", backup.back_up(Settings.from_environment(data=data), file, keys))
    if keys is not None:
        terminal.echo(f"keys       {keys}")


@click.command("verify")
@click.argument("file", type=Place())
def verify_command(file: Path) -> None:
    """Restore a backup into a database that is thrown away, and check all of it."""
    _tell("whole", backup.verify(file))


@click.command("restore")
@click.argument("file", type=Place())
@click.option("--data", type=Place(), help="Data folder to restore into: without a database.")
@click.option("--keys", type=Place(), help="File of keys that was written with the backup.")
def restore_command(file: Path, data: Path | None, keys: Path | None) -> None:
    """Restore a backup into an empty database of this version, SQLite or PostgreSQL."""
    _tell("restored", backup.restore(Settings.from_environment(data=data), file, keys))


def _tell(word: str, done: backup.Backup) -> None:
    terminal.echo(f"{word}: {done.rows} rows of {len(done.tables)} tables")
    terminal.echo(f"made by version {done.version}, schema {done.revision}")

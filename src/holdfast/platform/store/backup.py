"""Backups: the whole database as one file of JSON lines, of SQLite and PostgreSQL alike.

The file is compressed. Its first line says which schema it has, then come the tables, each with
its name and its rows, and at the end the number of rows and a digest of all lines before. A backup
is taken while the platform runs, from one consistent state. It is restored into an empty database,
of either kind: made with the schema of the backup, filled, and brought to today's schema.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import (
    Connection,
    Engine,
    MetaData,
    Table,
    create_engine,
    func,
    insert,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import SQLAlchemyError

from holdfast import __version__
from holdfast.model.errors import HoldfastError
from holdfast.platform.store.schema import REVISIONS, UnknownRevisionError, upgrade

_FORMAT = 1
_ROWS = 1000
#: Beginnings of tables' names. The index of the search is made again after a restore.
_LEFT_OUT = ("alembic_version", "search_")


class BackupError(HoldfastError):
    """A backup cannot be made, read or restored."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup is: made by which version, with which schema, and how many rows it has."""

    version: str
    revision: str
    tables: dict[str, int]

    @property
    def rows(self) -> int:
        return sum(self.tables.values())


def write(url: str, path: Path) -> Backup:
    """Back a database up into a new file, which appears when it is whole. Raises BackupError."""
    part = path.with_name(f"{path.name}.part")
    try:
        with _engine(url) as engine, _snapshot(engine) as connection:
            part.touch(mode=0o600)
            with gzip.open(part, "wt", compresslevel=3, encoding="utf-8") as file:
                done = _dump(connection, file)
        part.rename(path)
    except (SQLAlchemyError, OSError) as error:
        part.unlink(missing_ok=True)
        message = f"the backup could not be made: {_cause(error)}"
        raise BackupError(
            message, fix="Check the address of the database and the folder."
        ) from error
    return done


def _dump(connection: Connection, file: TextIO) -> Backup:
    digest, counts = hashlib.sha256(), dict[str, int]()

    def put(line: Any) -> None:
        said = json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"
        digest.update(said.encode("utf-8", "surrogatepass"))
        file.write(said)

    revision = str(connection.scalar(text("SELECT version_num FROM alembic_version")))
    put({"holdfast": __version__, "format": _FORMAT, "revision": revision})
    for table in _tables(connection):
        put({"table": table.name, "columns": [column.name for column in table.c]})
        counts[table.name] = 0
        rows = connection.execution_options(yield_per=_ROWS).execute(select(table))
        for row in rows:
            put([_plain(value) for value in row])
            counts[table.name] += 1
    file.write(json.dumps({"rows": counts, "sha256": digest.hexdigest()}) + "\n")
    return Backup(__version__, revision, counts)


def _tables(connection: Connection) -> list[Table]:
    """Those of the schema that the database has, in an order in which they can be filled."""
    found = MetaData()
    found.reflect(connection, only=lambda name, _: not name.startswith(_LEFT_OUT))
    return found.sorted_tables


def _plain(value: Any) -> Any:
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def verify(path: Path) -> Backup:
    """Read a backup to its end and restore it into a database that is thrown away.

    Raises BackupError.
    """
    with tempfile.TemporaryDirectory(prefix="holdfast-verify-") as folder:
        url = f"sqlite:///{folder}/platform.db"
        done = restore(url, path)
        with _engine(url) as engine, engine.connect() as connection:
            broken = connection.execute(text("PRAGMA foreign_key_check")).first()
    if broken is not None:
        message = f"{path} is no whole backup: a row of {broken[0]} refers to one of {broken[2]}"
        raise BackupError(message)
    return done


def restore(url: str, path: Path) -> Backup:
    """Fill an empty database from a backup, then bring it to today's schema. All or nothing.

    Raises BackupError.
    """
    head, revision = _head(path)
    full = False
    try:
        with _engine(url) as engine, engine.begin() as connection:
            if full := bool(inspect(connection).get_table_names()):
                message = "the database to restore into is not empty"
                raise BackupError(message, fix="Name another --data folder or DATABASE_URL.")
            upgrade(connection, revision)
            done = _load(connection, path, head, revision)
            upgrade(connection, "head")
            connection.execute(text("UPDATE runs SET indexed_at = NULL"))
    except (SQLAlchemyError, UnknownRevisionError) as error:
        _undo(url)
        message = f"{path} could not be restored: {_cause(error)}"
        raise BackupError(message) from error
    except BackupError:
        if not full:
            _undo(url)
        raise
    return done


def _undo(url: str) -> None:
    """SQLite's driver commits as it makes tables: what was begun goes with the file."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite" and address.database:
        for end in ("", "-wal", "-shm", "-journal"):
            Path(f"{address.database}{end}").unlink(missing_ok=True)


def _head(path: Path) -> tuple[dict[str, Any], str]:
    head = next(_lines(path), None)
    if not isinstance(head, dict) or head.get("format") != _FORMAT:
        message = f"{path} is no backup that this version can read"
        raise BackupError(message)
    if head.get("revision") not in REVISIONS:
        message = f"{path} was made by a newer version of Holdfast, {head.get('holdfast')}"
        raise BackupError(message, fix="Restore it with that version, or one that is newer.")
    return head, str(head["revision"])


def _load(connection: Connection, path: Path, head: dict[str, Any], revision: str) -> Backup:
    tables = {table.name: table for table in _tables(connection)}
    for table in reversed(tables.values()):
        connection.execute(table.delete())  # what the migrations put in
    counts = dict[str, int]()
    for name, columns, rows in _batches(path):
        if name not in tables:
            message = f"{path} has a table {name!r} that the schema does not know"
            raise BackupError(message)
        if rows:
            named = [dict(zip(columns, map(_value, row), strict=True)) for row in rows]
            connection.execute(insert(tables[name]), named)
        counts[name] = counts.get(name, 0) + len(rows)
    _number_on(connection, tables.values())
    return Backup(str(head["holdfast"]), revision, counts)


def _batches(path: Path) -> Iterator[tuple[str, list[str], list[list[Any]]]]:
    """Table, columns and some of its rows; an empty table comes once, without rows."""
    name, columns, rows = "", list[str](), list[list[Any]]()
    for line in _lines(path):
        if isinstance(line, list):
            rows.append(line)
            if len(rows) < _ROWS:
                continue
        if name:
            yield name, columns, rows
            rows = []
        if isinstance(line, dict) and "table" in line:
            name, columns = str(line["table"]), line["columns"]
    if name:
        yield name, columns, rows


def _value(value: Any) -> Any:
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value


def _lines(path: Path) -> Iterator[Any]:
    """All lines but the last one, which must fit them. Raises BackupError."""
    digest, last = hashlib.sha256(), None
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for line in file:
                if last is not None:
                    digest.update(last.encode("utf-8", "surrogatepass"))
                    yield json.loads(last)
                last = line
        end = json.loads(last or "null")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        message = f"{path} is damaged or no backup: {error}"
        raise BackupError(message) from error
    if not isinstance(end, dict) or end.get("sha256") != digest.hexdigest():
        message = f"{path} is damaged: its end does not fit what comes before"
        raise BackupError(message)


def _number_on(connection: Connection, tables: Iterable[Table]) -> None:
    """PostgreSQL's row numbers go on behind those that were restored."""
    if connection.dialect.name != "postgresql":
        return
    for table in tables:
        key = table.primary_key.columns
        if len(key) == 1 and (column := key[0]).autoincrement is True:
            newest = connection.scalar(select(func.max(column)))
            ask = text("SELECT setval(pg_get_serial_sequence(:table, :column), :number)")
            if newest is not None:
                told = {"table": table.name, "column": column.name, "number": newest}
                connection.execute(ask, told)


@contextmanager
def _engine(url: str) -> Iterator[Engine]:
    engine = create_engine(url, hide_parameters=True)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def _snapshot(engine: Engine) -> Iterator[Connection]:
    """A connection that sees one state, whatever is written meanwhile."""
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")  # the driver begins only before writes
        yield connection


def _cause(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error)

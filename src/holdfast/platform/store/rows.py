"""Many new rows at once, by the quickest way that a database has.

SQLAlchemy prepares each row anew, which takes longer than to store it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.exc import DBAPIError

#: Rows from which PostgreSQL takes COPY: it costs as much as a few statements.
_FEW = 4


def add_rows(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows that have the same columns, and values as drivers take them.

    Raises DBAPIError, of the class that SQLAlchemy has for the fault and without any value;
    UnicodeEncodeError, OverflowError.
    """
    if not rows:
        return
    fault: DBAPIError | None = None
    try:
        _add(connection, table, rows)
    except connection.dialect.loaded_dbapi.Error as error:
        fault = _fault(connection, table, error)
    if fault is not None:
        raise fault  # not from the driver's own, whose text a log would tell


def _add(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Raises what the driver raises."""
    names = tuple(rows[0])
    values = [tuple(map(row.__getitem__, names)) for row in rows]
    cursor: Any = connection.connection.cursor()
    try:
        if connection.dialect.name == "sqlite":
            cursor.executemany(_insert(table, names, "?"), values)
        elif len(rows) < _FEW:
            cursor.executemany(_insert(table, names, "%s"), values)
        else:
            with cursor.copy(_copy(table, names)) as copy:
                for row in values:
                    copy.write_row(row)
    finally:
        cursor.close()


def _fault(connection: Connection, table: Table, error: Exception) -> DBAPIError:
    """What SQLAlchemy would have raised. PostgreSQL says the value, so its text is left out."""
    kinds = {name: getattr(error, name, None) for name in ("sqlstate", "sqlite_errorcode")}
    codes = {name: code for name, code in kinds.items() if code is not None}
    said = type(error)(" ".join([f"table={table.name}", *(f"{k}={v}" for k, v in codes.items())]))
    for name, code in codes.items():
        setattr(said, name, code)
    base = connection.dialect.loaded_dbapi.Error
    found = DBAPIError.instance(None, None, said, base, dialect=connection.dialect)
    assert isinstance(found, DBAPIError)
    return found


@cache
def _insert(table: Table, names: tuple[str, ...], mark: str) -> str:
    marks = ", ".join([mark] * len(names))
    return f"INSERT INTO {table.name} ({_columns(names)}) VALUES ({marks})"  # noqa: S608


@cache
def _copy(table: Table, names: tuple[str, ...]) -> str:
    return f"COPY {table.name} ({_columns(names)}) FROM STDIN"


def _columns(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)

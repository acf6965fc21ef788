"""Many new rows at once, by the quickest way that a database has.

SQLAlchemy prepares each row anew, which takes longer than to store it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table

#: Rows from which PostgreSQL takes COPY: it costs as much as a few statements.
_FEW = 4


def add_rows(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows that have the same columns in the same order, and values as drivers take them.

    Raises what the driver raises.
    """
    if not rows:
        return
    names, values = tuple(rows[0]), [tuple(row.values()) for row in rows]
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


@cache
def _insert(table: Table, names: tuple[str, ...], mark: str) -> str:
    marks = ", ".join([mark] * len(names))
    return f"INSERT INTO {table.name} ({_columns(names)}) VALUES ({marks})"  # noqa: S608


@cache
def _copy(table: Table, names: tuple[str, ...]) -> str:
    return f"COPY {table.name} ({_columns(names)}) FROM STDIN"


def _columns(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)

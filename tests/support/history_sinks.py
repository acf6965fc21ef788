"""Where rows of a loaded history go: SQLite or PostgreSQL, as fast as each takes them."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Index, Table, make_url
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex

from holdfast.platform.store.history_tables import search_parts
from holdfast.platform.store.search import Part, marks_of
from support.history_search import part_rows, said


class Sink(ABC):
    """Takes rows of tables past the platform's writer."""

    @abstractmethod
    def copy(self, table: Table, rows: Iterable[tuple[Any, ...]]) -> None:
        """Insert rows, values in the order of the table's columns; no number: the next one."""

    @abstractmethod
    def copy_parts(self, parts: Sequence[tuple[int, Part]]) -> None:
        """Put parts of the search, each with its number, into its tables."""

    @abstractmethod
    def run(self, *statements: str) -> None:
        """Execute SQL that both databases understand."""

    @abstractmethod
    def strip(self, tables: Sequence[Table]) -> None:
        """Drop what would cost time with each row: indexes, and keys where that can be."""

    @abstractmethod
    def finish(self) -> None:
        """Make again what was dropped, and let the database learn what it has."""


@contextmanager
def sink_of(url: str) -> Iterator[Sink]:
    """The sink for an address of a database; what it took is written at the end."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        assert address.database is not None
        connection = sqlite3.connect(
            address.database, isolation_level=None, check_same_thread=False
        )
        try:
            yield _Sqlite(connection)
        finally:
            connection.close()
        return
    plain = address.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as server:
        yield _Postgres(server, plain)


class _Sqlite(Sink):
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._indexes: list[Index] = []
        self.run("PRAGMA synchronous=OFF", "PRAGMA journal_mode=OFF", "PRAGMA cache_size=-200000",
                 "PRAGMA temp_store=FILE")  # fmt: skip

    def copy(self, table: Table, rows: Iterable[tuple[Any, ...]]) -> None:
        names, marks = ", ".join(table.c.keys()), ", ".join("?" * len(table.c))
        insert = f"INSERT INTO {table.name} ({names}) VALUES ({marks})"
        self.run("BEGIN")
        self._connection.executemany(insert, rows)
        self.run("COMMIT")

    def copy_parts(self, parts: Sequence[tuple[int, Part]]) -> None:
        self.copy(search_parts, part_rows(parts, compressed=True))
        rows = (
            (n, " ".join(marks_of(part.project_id, part.kind)), said(part)) for n, part in parts
        )
        self.run("BEGIN")
        insert = "INSERT INTO search_words (rowid, marks, words) VALUES (?, ?, ?)"
        self._connection.executemany(insert, rows)
        self.run("COMMIT")

    def run(self, *statements: str) -> None:
        for statement in statements:
            self._connection.execute(statement)

    def strip(self, tables: Sequence[Table]) -> None:
        self._indexes = [index for table in tables for index in table.indexes]
        self.run(*(f"DROP INDEX {index.name}" for index in self._indexes))

    def finish(self) -> None:
        for index in self._indexes:
            self.run(str(CreateIndex(index).compile(dialect=sqlite.dialect())))
        self.run("PRAGMA analysis_limit=1000", "ANALYZE", "PRAGMA journal_mode=WAL")


#: What hangs on some tables: kind, name, table, and how it is made. References to a key go before
#: it, and come after it.
_CONSTRAINTS = """
SELECT contype::text, conname::text, conrelid::regclass::text, pg_get_constraintdef(oid)
FROM pg_constraint WHERE contype IN ('p', 'u', 'f')
AND (conrelid::regclass::text = ANY(%s) OR confrelid::regclass::text = ANY(%s))
ORDER BY contype = 'f' DESC
"""
_INDEXES = "SELECT indexname::text, indexdef FROM pg_indexes WHERE tablename = ANY(%s)"


class _Postgres(Sink):
    def __init__(self, connection: psycopg.Connection, address: str) -> None:
        self._connection, self._address = connection, address
        self._again: list[str] = []
        self.run("SET session_replication_role = replica")  # no check of each reference
        self.run("SET synchronous_commit = off", "SET maintenance_work_mem = '512MB'")

    def strip(self, tables: Sequence[Table]) -> None:
        names = [*(table.name for table in tables), "search_words"]
        for kind, name, table, made in self._connection.execute(_CONSTRAINTS, [names, names]):
            self.run(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
            at = len(self._again) if kind == "f" else 0
            self._again.insert(at, f"ALTER TABLE {table} ADD CONSTRAINT {name} {made}")
        for name, made in self._connection.execute(_INDEXES, [names]):
            self.run(f"DROP INDEX {name}")
            self._again.insert(0, made)
        self._connection.commit()

    def copy(self, table: Table, rows: Iterable[tuple[Any, ...]]) -> None:
        numbered = table.c[0].name == "id" and table.c[0].autoincrement is True
        names = table.c.keys()[1 if numbered else 0 :]
        self._copy(table.name, names, (row[1:] for row in rows) if numbered else rows)

    def copy_parts(self, parts: Sequence[tuple[int, Part]]) -> None:
        self._copy(search_parts.name, search_parts.c.keys(), part_rows(parts, compressed=False))
        self._copy("search_words", ["part_id", "words"], map(_vector, parts))

    def _copy(self, name: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
        names = ", ".join(f'"{column}"' for column in columns)
        target = f"COPY {name} ({names}) FROM STDIN"
        with self._connection.cursor() as cursor, cursor.copy(target.encode()) as copy:
            for row in rows:
                copy.write_row(row)
        self._connection.commit()

    def run(self, *statements: str) -> None:
        for statement in statements:
            self._connection.execute(statement.encode())

    def finish(self) -> None:
        self._connection.commit()
        self._connection.autocommit = True
        longest = [made for made in self._again if "USING gin" in made]
        with (
            psycopg.connect(self._address, autocommit=True) as other,
            ThreadPoolExecutor(1) as pool,
        ):
            done = pool.submit(_Postgres(other, self._address).run, *longest)
            self.run(*(made for made in self._again if made not in longest))
            done.result()
        self.run("VACUUM ANALYZE")


def _vector(numbered: tuple[int, Part]) -> tuple[int, str]:
    number, part = numbered
    words = [*part.words, *(f"/{mark}" for mark in marks_of(part.project_id, part.kind))]
    return number, " ".join(f"'{word}'" for word in words)

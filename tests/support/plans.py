"""How the database does what is asked: which tables it reads from end to end."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event, text

from holdfast.platform.store.database import Transaction
from support.platform import Store

#: SQLite reads a whole index where it says USING: no better than the table.
_SCAN = re.compile(
    r"SCAN (?!CONSTANT)(\w+)(?: USING (?:COVERING )?INDEX (\w+))?|Seq Scan on (\w+)()"
)
#: Indexes of what is under way only, which is never much.
_SMALL = {"ix_steps_open", "ix_runs_under_way", "ix_runs_claimable"}

Statement = tuple[str, Any]


@contextmanager
def statements(connection: Connection) -> Iterator[list[Statement]]:
    """What is executed in the block: texts and their values, one entry for each execution."""
    found: list[Statement] = []

    def note(_c: Any, _cursor: Any, said: str, values: Any, _context: Any, many: bool) -> None:
        found.extend((said, each) for each in (values if many else [values]))

    event.listen(connection, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(connection, "before_cursor_execute", note)


def scans(
    store: Store, work: Callable[[Transaction], Any], ordered: Collection[str] = ()
) -> set[str]:
    """Tables that a piece of work reads from end to end.

    `ordered`: indexes that it may read in their order, as it stops at a limit. PostgreSQL is told
    to use indexes where there are any, as it would with many rows.
    """
    few = {*_SMALL, *ordered}

    def look(tx: Transaction) -> set[str]:
        with statements(tx.connection) as done:
            work(tx)
        return {
            table
            for said, values in done
            for table, index in _scanned(tx.connection, said, values)
            if index not in few
        }

    return store.write(look)


def _scanned(connection: Connection, said: str, values: Any) -> Iterator[tuple[str, str]]:
    if not said.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
        return
    sqlite = connection.dialect.name == "sqlite"
    if not sqlite:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
    explain = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
    for row in connection.exec_driver_sql(explain + said, values):
        if (match := _SCAN.search(str(row[-1]))) is not None:
            yield match[1] or match[3], match[2]

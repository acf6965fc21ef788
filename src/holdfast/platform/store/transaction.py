"""What a piece of work that writes is given, and what undoes it alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import sqlalchemy

from holdfast.platform.store.notice import Notice

T = TypeVar("T")
#: What other rooms name, so that only this one imports the library: what reads, and what it finds.
Connection: TypeAlias = sqlalchemy.Connection
Row: TypeAlias = sqlalchemy.Row[*tuple[Any, ...]]


@dataclass(slots=True)
class Transaction:
    """What a write works with. `now` is one time for all it does, in microseconds."""

    connection: Connection
    now: int
    notices: list[Notice] = field(default_factory=list)
    #: What pieces of work of the same commit have read, by how it was read.
    _read: dict[Any, Any] = field(default_factory=dict)

    #: What is kept from one commit to the next, by its kind.
    _kept: dict[Any, Any] = field(default_factory=dict)

    def kept(self, make: Callable[[], T]) -> T:
        """What `make` has made for the writer's thread, made once. A rollback does not undo it."""
        if make not in self._kept:
            self._kept[make] = make()
        found: T = self._kept[make]
        return found

    def once(self, read: Callable[[Connection], T]) -> T:
        """What `read` finds, read once for all pieces of work of a commit."""
        if read not in self._read:
            self._read[read] = read(self.connection)
        found: T = self._read[read]
        return found

    def notify(self, topic: str, what: str, **data: Any) -> None:
        self.notices.append(Notice(topic, what, data))


def crossed(error: BaseException) -> bool:
    """Whether PostgreSQL has undone one of two transactions that were in each other's way.

    Each waited for what the other had locked (40P01), or would have changed what it read (40001).
    """
    return getattr(getattr(error, "orig", error), "sqlstate", None) in {"40P01", "40001"}


@contextmanager
def savepoint(connection: Connection, name: str) -> Iterator[None]:
    """Undo what fails in the block. SQLAlchemy's own takes as long as three statements."""
    raw = connection.connection.cursor()
    raw.execute(f"SAVEPOINT {name}")
    try:
        yield
    except BaseException:
        raw.execute(f"ROLLBACK TO SAVEPOINT {name}")
        raise
    finally:
        raw.execute(f"RELEASE SAVEPOINT {name}")
        raw.close()


def still_open(connection: Connection, cause: BaseException) -> None:
    """Raise the cause where the whole group has failed: there is no transaction any more.

    A full disk makes SQLite roll back everything by itself; a server may have ended.
    """
    raw = None if connection.invalidated else connection.connection.dbapi_connection
    sqlite_ = connection.dialect.name == "sqlite"
    if raw is None or (not raw.in_transaction if sqlite_ else raw.closed):
        while cause.__context__ is not None:  # not the savepoint's complaint that came of it
            cause = cause.__context__
        raise cause

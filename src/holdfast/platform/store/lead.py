"""Who does the chores: of several platforms on one PostgreSQL, the one that has the lock.

The lock belongs to a connection of its own. It is free again as soon as that connection ends, so
another platform takes over when this one dies.
"""

from __future__ import annotations

import asyncio

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from holdfast import log
from holdfast.platform.store.database import CHORES_LOCK, Connection, Database


class Lead:
    """The lock for chores. With SQLite there is one platform, which always has it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None
        self._looking = asyncio.Lock()

    async def is_mine(self) -> bool:
        """Whether this platform does the chores now; it tries to get the lock."""
        if self._database.is_sqlite:
            return True
        async with self._looking:
            return await asyncio.to_thread(self._try)

    async def close(self) -> None:
        """Let another one do the chores."""
        async with self._looking:
            await asyncio.to_thread(self._drop)

    def _try(self) -> bool:
        try:
            if self._connection is not None:
                self._connection.execute(text("SELECT 1"))  # it still is ours
                return True
            engine = self._database.engine.execution_options(isolation_level="AUTOCOMMIT")
            connection = engine.connect()
            ask = text("SELECT pg_try_advisory_lock(:number)")
            if connection.scalar(ask, {"number": CHORES_LOCK}):
                self._connection = connection
            else:
                connection.close()
        except SQLAlchemyError as error:
            log.warn("lead.lost", why=type(error).__name__)
            self._drop()
        return self._connection is not None

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()  # not back to the pool: the lock must go
            self._connection.close()
            self._connection = None

"""Which faults are the database's own, so that what failed is tried again."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from holdfast.platform.store.database import DatabaseError, is_passing


class Told(Exception):  # noqa: N818 - as the driver's own are called
    """What a driver of PostgreSQL raises."""

    def __init__(self, sqlstate: str | None) -> None:
        super().__init__("refused")
        self.sqlstate = sqlstate


def wrapped(error: Exception, base: type[Exception] = Told) -> Exception:
    return DBAPIError.instance("SELECT 1", {}, error, base)


@pytest.mark.parametrize(
    "error",
    [
        wrapped(Told("08006")), wrapped(Told("40P01")), wrapped(Told("53100")),
        wrapped(Told("57P01")),
        wrapped(sqlite3.OperationalError("database or disk is full"), sqlite3.Error),
        sqlite3.OperationalError("database or disk is full"), psycopg.OperationalError("closed"),
        PoolTimeout(), DatabaseError("the database is closed"),
    ],
)  # fmt: skip
def test_a_fault_of_the_database_passes(error: Exception) -> None:
    assert is_passing(error)


@pytest.mark.parametrize(
    "error",
    [
        wrapped(Told("54000")), wrapped(Told("22021")), wrapped(Told("57014")),
        wrapped(sqlite3.IntegrityError("UNIQUE"), sqlite3.Error),
        sqlite3.IntegrityError("UNIQUE"), psycopg.DataError("number"),
        ValueError("no number"), KeyError("job"),
    ],
)  # fmt: skip
def test_a_fault_of_what_was_asked_stays(error: Exception) -> None:
    assert not is_passing(error)


def test_a_fault_of_one_statement_of_sqlite_stays() -> None:
    """Its class is that of a fault of the whole database."""
    with (
        closing(sqlite3.connect(":memory:")) as connection,
        pytest.raises(sqlite3.OperationalError) as told,
    ):
        connection.execute("SELECT json('no JSON')")
    assert not is_passing(told.value)

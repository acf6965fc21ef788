"""Columns that many tables have: keys, references, moments (whole microseconds, UTC)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, ForeignKey, String, func


def identifier() -> Column[str]:
    """The key of a table: a UUID as text."""
    return Column("id", String(36), primary_key=True)


def moment(name: str, *, required: bool = False) -> Column[int]:
    """A point in time."""
    return Column(name, BigInteger, nullable=not required)


def moments() -> list[Column[Any]]:
    """When a row was written first and last."""
    return [moment("inserted_at", required=True), moment("updated_at", required=True)]


def refers(name: str, to: str, *, required: bool = True) -> Column[str]:
    """The id of a row of another table."""
    return Column(name, String(36), ForeignKey(f"{to}.id"), nullable=not required)


def unindexed(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A column of texts as no index has it, for a condition beside one of the partial indexes.

    SQLite would take the index of the column with all that ever was, and not the partial one.
    """
    return func.coalesce(column, "")

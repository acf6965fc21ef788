"""Collections: named key-value stores that jobs share (`docs/spec/platform.md` 6.1).

Values are text. A list is read in order of insertion, page by page.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, func, select, text, update

from holdfast.model.errors import HoldfastError
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row, Transaction
from holdfast.platform.store.lists import seen

MOST_CHARACTERS = 1_000_000
#: Items, and bytes of them, that one transaction writes.
_PIECE, _PIECE_BYTES = 1000, 1_000_000
#: Of a key, in UTF-8: what PostgreSQL's index can hold.
MOST_KEY_BYTES = 2000

#: Items as a table, in one JSON text: arrays would take PostgreSQL's driver seven times as long.
_ITEMS = {
    "sqlite": "(SELECT json_extract(value, '$[0]') AS key, json_extract(value, '$[1]') AS value,"
    " json_extract(value, '$[2]') AS size FROM json_each(:items))",
    "postgresql": "(SELECT e->>0 AS key, e->>1 AS value, CAST(e->>2 AS integer) AS size"
    " FROM json_array_elements(CAST(:items AS json)) AS e) AS item",
}
_PUT = (
    "INSERT INTO collection_items (collection_id, key, value, size, inserted_at, updated_at)"
    " SELECT :collection, key, value, size, :now, :now FROM {items} WHERE true"
    " ON CONFLICT (collection_id, key) DO UPDATE SET"
    " value = excluded.value, size = excluded.size, updated_at = excluded.updated_at"
)
_THERE = (
    "SELECT count(*), coalesce(sum(size), 0) FROM collection_items"
    " WHERE collection_id = :collection AND key IN {keys}"
)
_KEYS = {"sqlite": "(SELECT value FROM json_each(:keys))",
         "postgresql": "(SELECT unnest(CAST(:keys AS text[])))"}  # fmt: skip


class CollectionError(HoldfastError):
    """The request cannot be done; the text is for the reply."""


class AmbiguousError(CollectionError):
    """Several projects have a collection of this name."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit of a time: `column` is at or after it (`lower`), or before it. Microseconds."""

    column: str
    lower: bool
    at: int


@dataclass(frozen=True, slots=True)
class Selection:
    """Which items are meant: keys that match, times, a page's size and the item before it."""

    pattern: str | None
    bounds: tuple[Bound, ...]
    limit: int
    after: int

    def conditions(self) -> list[ColumnElement[bool]]:
        c = t.collection_items.c
        times = [c[b.column] >= b.at if b.lower else c[b.column] < b.at for b in self.bounds]
        return times if self.pattern is None else [_matches(self.pattern), *times]


def _matches(pattern: str) -> ColumnElement[bool]:
    """`*` is any text; everything else means itself."""
    if "*" not in pattern:
        return t.collection_items.c.key == pattern
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return t.collection_items.c.key.like(escaped.replace("*", "%"), escape="\\")


def find_collection(
    connection: Connection, name: str, visible: frozenset[str] | None
) -> Row | None:
    """`id` and `project_id` of the one of this name in these projects. Raises AmbiguousError."""
    c = t.collections.c
    query = select(c.id, c.project_id).where(
        c.name == name, c.deleted_at.is_(None), seen(c.project_id, visible)
    )
    found = list(connection.execute(query.limit(2)))
    if len(found) > 1:
        message = (
            f"Multiple collections found with the name {name!r}. Add ?project_id=<uuid> to "
            "choose one."
        )
        raise AmbiguousError(message)
    return found[0] if found else None


def collections_of(connection: Connection, project_id: str) -> list[Row]:
    """The collections of a project, by name."""
    c = t.collections.c
    mine = select(t.collections).where(c.project_id == project_id, c.deleted_at.is_(None))
    return list(connection.execute(mine.order_by(c.name)))


def get_item(connection: Connection, collection_id: str, key: str) -> Row | None:
    c = t.collection_items.c
    return connection.execute(
        select(t.collection_items).where(c.collection_id == collection_id, c.key == key)
    ).one_or_none()


def page(connection: Connection, collection_id: str, chosen: Selection, count: int) -> list[Row]:
    """Up to `count` items in order of insertion, after the selection's cursor."""
    c = t.collection_items.c
    return list(
        connection.execute(
            select(t.collection_items)
            .where(c.collection_id == collection_id, c.id > chosen.after, *chosen.conditions())
            .order_by(c.id)
            .limit(count)
        )
    )


def beginnings(
    connection: Connection, collection_id: str, chosen: Selection, most: int
) -> list[Row]:
    """A page of the selection, and one item more: `most` characters of each value, and as `length`
    how many it has. The rest stays in the database."""
    c = t.collection_items.c
    value, length = func.substr(c.value, 1, most), func.length(c.value)
    return list(
        connection.execute(
            select(c.id, c.key, c.updated_at, value.label("value"), length.label("length"))
            .where(c.collection_id == collection_id, c.id > chosen.after, *chosen.conditions())
            .order_by(c.id)
            .limit(chosen.limit + 1)
        )
    )


def piece(connection: Connection, collection_id: str, chosen: Selection) -> list[Row]:
    """The next items of the selection that are no more bytes than one transaction may write."""
    ids = some_items(connection, collection_id, chosen, chosen.after)
    return page(connection, collection_id, chosen, len(ids))


def check_items(items: list[tuple[str, str]]) -> None:
    """Raises CollectionError for what cannot be stored."""
    if len({key for key, _ in items}) != len(items):
        message = "Duplicate key found"
        raise CollectionError(message)
    for key, value in items:
        if len(key.encode()) > MOST_KEY_BYTES:
            message = f"the key {key[:40]!r}… has more than {MOST_KEY_BYTES} bytes"
            raise CollectionError(message)
        if len(value) > MOST_CHARACTERS:
            message = f"the value of {key!r} has more than {MOST_CHARACTERS} characters"
            raise CollectionError(message)


def pieces(
    items: list[tuple[str, str]], step: Callable[[int], int] = int
) -> Iterator[list[tuple[str, str]]]:
    """The items in parts that one transaction may write, so that others can write between.

    `step`: how much of a whole part may be in the next one.
    """
    piece: list[tuple[str, str]] = []
    most, room = step(_PIECE), step(_PIECE_BYTES)
    for item in items:
        size = _size_of(item)
        if piece and (len(piece) == most or size > room):
            yield piece
            piece, most, room = [], step(_PIECE), step(_PIECE_BYTES)
        piece.append(item)
        room -= size
    yield piece


def put_items(
    tx: Transaction,
    collection_id: str,
    items: list[tuple[str, str]],
    most_bytes: int | None = None,
) -> int:
    """Insert or replace; an item that is replaced keeps its place. Raises CollectionError.

    The same few statements serve one item and a thousand. `most_bytes`: what all collections of
    the project may hold together.
    """
    check_items(items)
    _lock(tx, collection_id)
    before = _there(tx.connection, collection_id, items)
    grown = sum(map(_size_of, items)) - before.size
    if items:
        rows = [(key, value, _size_of((key, value))) for key, value in items]
        told = {
            "collection": collection_id,
            "now": tx.now,
            "items": json.dumps(rows, ensure_ascii=False),
        }
        put = _PUT.format(items=_ITEMS[tx.connection.dialect.name])
        tx.connection.execute(text(put), told)
    _grow(tx, collection_id, grown, len(items) - before.items)
    if most_bytes is not None and grown > 0:
        _check_room(tx.connection, collection_id, most_bytes)
    return len(items)


def check_room(
    connection: Connection, collection_id: str, items: list[tuple[str, str]], most_bytes: int
) -> None:
    """Raises CollectionError when there is no room for all of these items."""
    grown = sum(map(_size_of, items)) - _there(connection, collection_id, items).size
    if grown > 0:
        _check_room(connection, collection_id, most_bytes, grown)


def _check_room(
    connection: Connection, collection_id: str, most_bytes: int, more: int = 0
) -> None:
    c = t.collections.c
    project = select(c.project_id).where(c.id == collection_id).scalar_subquery()
    query = select(func.sum(c.byte_size_sum)).where(c.project_id == project)
    if int(connection.scalar(query.where(c.deleted_at.is_(None))) or 0) + more > most_bytes:
        message = (
            f"the project's collections may hold {most_bytes / 1_000_000:g} MB together"
            " (HOLDFAST_COLLECTIONS_MB)"
        )
        raise CollectionError(message)


@dataclass(frozen=True, slots=True)
class _There:
    items: int
    size: int


def _there(connection: Connection, collection_id: str, items: list[tuple[str, str]]) -> _There:
    """How many of these keys are stored, and the bytes of their items."""
    dialect, keys = connection.dialect.name, [key for key, _ in items]
    query = text(_THERE.format(keys=_KEYS[dialect]))
    asked = keys if dialect == "postgresql" else json.dumps(keys, ensure_ascii=False)
    row = connection.execute(query, {"collection": collection_id, "keys": asked}).one()
    return _There(int(row[0]), int(row[1]))


def _size_of(item: tuple[str, str]) -> int:
    return len(item[0].encode()) + len(item[1].encode())


def delete_item(tx: Transaction, collection_id: str, key: str) -> int:
    """Delete the item of this key; how many there were."""
    _lock(tx, collection_id)
    return _delete(tx, collection_id, [t.collection_items.c.key == key])


def some_items(
    connection: Connection,
    collection_id: str,
    chosen: Selection,
    after: int,
    step: Callable[[int], int] = int,
) -> list[int]:
    """Ids of items that are chosen, after an id: as many as one transaction may delete.

    `step`: how much of a whole one.
    """
    c = t.collection_items.c
    mine = (c.collection_id == collection_id, c.id > after, *chosen.conditions())
    query = select(c.id, c.size).where(*mine).order_by(c.id).limit(step(_PIECE))
    found: list[int] = []
    room = step(_PIECE_BYTES)
    for row in connection.execute(query):
        if found and row.size > room:
            break
        found.append(row.id)
        room -= row.size
    return found


def delete_some(tx: Transaction, collection_id: str, ids: list[int], chosen: Selection) -> int:
    """Delete those of the items that are chosen still; how many there were. No value is read.

    `ids` is all that was chosen between its first and its last: a range costs less than a list.
    """
    _lock(tx, collection_id)
    between = t.collection_items.c.id.between(ids[0], ids[-1])
    return _delete(tx, collection_id, [between, *chosen.conditions()])


def _delete(tx: Transaction, collection_id: str, conditions: list[ColumnElement[bool]]) -> int:
    c = t.collection_items.c
    gone = delete(t.collection_items).where(c.collection_id == collection_id, *conditions)
    sizes = list(tx.connection.scalars(gone.returning(c.size)))
    _grow(tx, collection_id, -sum(sizes), -len(sizes))
    return len(sizes)


def mark_removed(tx: Transaction, collection_id: str) -> None:
    """Remove a collection: it is gone for everybody, and its name is free, at once.

    `removed` finds it, so that its items are deleted step by step.
    """
    c = t.collections.c
    gone = {"deleted_at": tx.now, "name": f"{collection_id}_del", "updated_at": tx.now}
    tx.connection.execute(update(t.collections).where(c.id == collection_id).values(**gone))


def removed(connection: Connection) -> str | None:
    """A removed collection whose row is still there."""
    c = t.collections.c
    found: str | None = connection.scalar(select(c.id).where(c.deleted_at.is_not(None)).limit(1))
    return found


def forget(tx: Transaction, collection_id: str) -> None:
    """Delete the row of a removed collection that has no items left."""
    tx.connection.execute(delete(t.collections).where(t.collections.c.id == collection_id))


def _lock(tx: Transaction, collection_id: str) -> None:
    """One writer of a collection at a time, also of several platforms, so that its size is right.

    SQLite has one writer anyway. Raises CollectionError when somebody has deleted it.
    """
    c = t.collections.c
    mine = select(c.id).where(c.id == collection_id).with_for_update()
    if tx.connection.scalar(mine) is None:
        message = "the collection is gone"
        raise CollectionError(message)


def _grow(tx: Transaction, collection_id: str, size: int, items: int) -> None:
    c = t.collections.c
    grown = {"byte_size_sum": c.byte_size_sum + size, "item_count": c.item_count + items}
    tx.connection.execute(
        update(t.collections).where(c.id == collection_id).values(**grown, updated_at=tx.now)
    )

"""Collections: named key-value stores that jobs share (`docs/spec/platform.md` 6.1).

Values are text. A list is read in order of insertion, page by page.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, LargeBinary, cast, delete, func, select, update

from holdfast.model.errors import HoldfastError
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row, Transaction, upsert
from holdfast.platform.store.lists import seen

MOST_CHARACTERS = 1_000_000
#: Keys that one query names: databases allow some thousands.
_KEYS = 500
#: Of a key, in UTF-8: what PostgreSQL's index can hold.
MOST_KEY_BYTES = 2000


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
    query = select(c.id, c.project_id).where(c.name == name, seen(c.project_id, visible))
    found = list(connection.execute(query.limit(2)))
    if len(found) > 1:
        message = (
            f"Multiple collections found with the name {name!r}. Add ?project_id=<uuid> to "
            "choose one."
        )
        raise AmbiguousError(message)
    return found[0] if found else None


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


def put_items(
    tx: Transaction,
    collection_id: str,
    items: list[tuple[str, str]],
    most_bytes: int | None = None,
) -> int:
    """Insert or replace; an item that is replaced keeps its place. Raises CollectionError.

    `most_bytes`: what all collections of the project may hold together.
    """
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
    _lock(tx, collection_id)
    before = _size(tx, collection_id, [key for key, _ in items])
    after = sum(len(key.encode()) + len(value.encode()) for key, value in items)
    grown = after - before
    _upsert(tx, collection_id, items)
    _grow(tx, collection_id, grown)
    if most_bytes is not None and grown > 0:
        _check_room(tx, collection_id, most_bytes)
    return len(items)


def _check_room(tx: Transaction, collection_id: str, most_bytes: int) -> None:
    c = t.collections.c
    project = select(c.project_id).where(c.id == collection_id).scalar_subquery()
    used = tx.connection.scalar(select(func.sum(c.byte_size_sum)).where(c.project_id == project))
    if int(used or 0) > most_bytes:
        message = (
            f"the project's collections may hold {most_bytes / 1_000_000:g} MB together"
            " (HOLDFAST_COLLECTIONS_MB)"
        )
        raise CollectionError(message)


def _size(tx: Transaction, collection_id: str, keys: list[str]) -> int:
    """Bytes of the items of these keys, as they are."""
    c = t.collection_items.c
    total = func.sum(_bytes(tx, c.key) + _bytes(tx, c.value))
    size = 0
    for start in range(0, len(keys), _KEYS):
        mine = (c.collection_id == collection_id, c.key.in_(keys[start : start + _KEYS]))
        size += int(tx.connection.scalar(select(total).where(*mine)) or 0)
    return size


def _upsert(tx: Transaction, collection_id: str, items: list[tuple[str, str]]) -> None:
    """One statement for all of them: an item that is there gets its new value."""
    times = {"inserted_at": tx.now, "updated_at": tx.now}
    rows = [
        {"collection_id": collection_id, "key": key, "value": value, **times}
        for key, value in items
    ]
    if rows:
        tx.connection.execute(
            upsert(
                tx.connection,
                t.collection_items,
                ("collection_id", "key"),
                ("value", "updated_at"),
            ),
            rows,
        )


def delete_item(tx: Transaction, collection_id: str, key: str) -> int:
    """Delete the item of this key; how many there were."""
    return _delete(tx, collection_id, [t.collection_items.c.key == key])


def delete_items(tx: Transaction, collection_id: str, chosen: Selection) -> int:
    """Delete what is chosen, on all pages; how many there were."""
    return _delete(tx, collection_id, chosen.conditions())


def _delete(tx: Transaction, collection_id: str, conditions: list[ColumnElement[bool]]) -> int:
    c = t.collection_items.c
    _lock(tx, collection_id)
    mine = (c.collection_id == collection_id, *conditions)
    size = tx.connection.scalar(
        select(func.sum(_bytes(tx, c.key) + _bytes(tx, c.value))).where(*mine)
    )
    gone = tx.connection.execute(delete(t.collection_items).where(*mine)).rowcount
    _grow(tx, collection_id, -int(size or 0))
    return gone


def _bytes(tx: Transaction, column: ColumnElement[str]) -> ColumnElement[int]:
    """Size of a text in UTF-8, without reading it into memory."""
    if tx.connection.dialect.name == "postgresql":
        return func.octet_length(column)
    return func.length(cast(column, LargeBinary))


def _lock(tx: Transaction, collection_id: str) -> None:
    """One writer of a collection at a time, also of several platforms, so that its size is right.

    SQLite has one writer anyway. Raises CollectionError when somebody has deleted it.
    """
    c = t.collections.c
    mine = select(c.id).where(c.id == collection_id).with_for_update()
    if tx.connection.scalar(mine) is None:
        message = "the collection is gone"
        raise CollectionError(message)


def _grow(tx: Transaction, collection_id: str, size: int) -> None:
    c = t.collections.c
    tx.connection.execute(
        update(t.collections)
        .where(c.id == collection_id)
        .values(byte_size_sum=c.byte_size_sum + size, updated_at=tx.now)
    )

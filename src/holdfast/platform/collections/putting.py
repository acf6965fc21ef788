"""Storing items, in transactions of a bounded size."""

from __future__ import annotations

from functools import partial

from holdfast.platform.service import Platform
from holdfast.platform.store import collections as store

#: Items of a request that need not wait until others have written.
_FEW = 100


async def put_all(
    platform: Platform, collection_id: str, pairs: list[tuple[str, str]]
) -> tuple[int, str | None]:
    """How many items are stored, and what stopped the others: what cannot be stored stops all."""
    database, most, count = platform.database, platform.settings.collections_bytes, 0
    try:
        store.check_items(pairs)
        if most is not None:
            await database.read(lambda c: store.check_room(c, collection_id, pairs, most))
        for piece in store.pieces(pairs, database.step):
            put = partial(store.put_items, collection_id=collection_id, items=piece)
            work = partial(put, most_bytes=most)
            count += await database.write(work, heavy=len(pairs) > _FEW)
    except store.CollectionError as error:
        return count, error.message
    return count, None

"""The cleaner: removes what is older than its project keeps it, beside the load.

Each step is a short transaction of its own, and the writer does what others want between two
steps. Of several platforms one cleans.
"""

from __future__ import annotations

import asyncio
from functools import partial

from holdfast import log
from holdfast.platform.clock import now
from holdfast.platform.service import Platform
from holdfast.platform.store import alerts, collections, retention, search
from holdfast.platform.store.collections import Selection
from holdfast.platform.store.database import Connection
from holdfast.platform.store.retention import Rule, What

_SECONDS = 30.0
_ALL = Selection(None, (), 1, 0)


async def cleaner(platform: Platform) -> None:
    """Clean every half minute until cancelled."""
    while True:
        await asyncio.sleep(_SECONDS)
        if await platform.lead.is_mine():
            await clean_up(platform)


async def clean_up(platform: Platform, project_id: str | None = None) -> dict[str, int]:
    """Remove all that is due, of one project or of all; what was removed, and how much."""
    removed = dict.fromkeys([str(what) for what in What], 0)
    database, erased = platform.database, False
    for rule in await database.read(lambda c: retention.rules(c, now(), project_id)):
        removed[rule.what] += await _apply(platform, rule)
    while await database.write(search.erase_some):  # also what the end of a run has wiped
        erased = True
    if project_id is None:
        await _remove_collections(platform)
        while await database.write(alerts.forget_old):
            pass
    if any(removed.values()):
        log.info(
            "retention.removed",
            documents=removed[What.DOCUMENTS],
            logs=removed[What.LOGS],
            runs=removed[What.RUNS],
            erased=removed[What.ERASED],
        )
    if erased or any(removed.values()):
        await asyncio.to_thread(database.forget_freed)
    return removed


async def _apply(platform: Platform, rule: Rule) -> int:
    """How much was removed."""
    database, done = platform.database, 0
    while ids := await database.read(partial(retention.find, rule=rule)):
        while await database.write(partial(retention.remove_lines, rule=rule, ids=ids)):
            pass
        while await database.write(partial(retention.remove_words, rule=rule, ids=ids)):
            pass
        await database.write(partial(retention.remove, rule=rule, ids=ids))
        done += len(ids)
    return done


async def _remove_collections(platform: Platform) -> None:
    """What was removed with its project's document: first all items, then the row."""
    while (key := await platform.database.read(collections.removed)) is not None:
        await remove_items(platform, key, _ALL)
        await platform.database.write(partial(collections.forget, collection_id=key))
        log.info("collection.removed", id=key)


async def remove_items(platform: Platform, collection_id: str, chosen: Selection) -> int:
    """Delete the items that are chosen, in transactions of a bounded size; how many there were."""
    database, count, after = platform.database, 0, 0
    while ids := await database.read(
        partial(collections.some_items, collection_id=collection_id, chosen=chosen, after=after)
    ):
        count += await database.write(
            partial(collections.delete_some, collection_id=collection_id, ids=ids, chosen=chosen)
        )
        after = ids[-1]
    return count


def planned(connection: Connection, project_id: str) -> dict[str, int]:
    """A dry run: how much of a project would be removed now."""
    told = retention.rules(connection, now(), project_id)
    return {rule.what: retention.count(connection, rule) for rule in told}

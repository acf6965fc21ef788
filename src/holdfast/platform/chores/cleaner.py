"""The cleaner: removes what is older than its project keeps it, beside the load.

Each step is a short transaction of its own, and the writer does what others want between two
steps. Of several platforms one cleans. What was removed cannot be read from then on. To have it
out of the files, too, the search index and free pages are written anew: that takes the longer, the
more is kept, so afterwards they are left alone for many times as long.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from holdfast import log
from holdfast.platform.clock import now
from holdfast.platform.service import Platform
from holdfast.platform.store import alerts, collections, retention, search
from holdfast.platform.store.collections import Selection
from holdfast.platform.store.database import Connection
from holdfast.platform.store.retention import Rule, What

_SECONDS = 30.0
#: How many times as long as it took the files are left alone.
_REST = 20
#: So often, and this far apart, the files are tried while somebody reads them.
_TRIES, _TRY_SECONDS = 10, 0.1
_ALL = Selection(None, (), 1, 0)


async def cleaner(platform: Platform) -> None:
    """Clean every half minute until cancelled."""
    files = Files(_removed=True)  # an earlier process may have ended before it was done
    while True:
        await asyncio.sleep(_SECONDS)
        if await platform.lead.is_mine():
            removed = await _remove(platform, None)
            await files.clean(platform, removed=any(removed.values()))


async def clean_up(platform: Platform, project_id: str | None = None) -> dict[str, int]:
    """Remove all that is due, of one project or of all; what was removed, and how much."""
    removed = await _remove(platform, project_id)
    await Files().clean(platform, removed=any(removed.values()))
    return removed


@dataclass(slots=True)
class Files:
    """What was removed is taken out of the database's files, in a twentieth of the time."""

    clock: Callable[[], float] = time.monotonic
    _until: float = 0.0
    _removed: bool = False

    async def clean(self, platform: Platform, *, removed: bool) -> None:
        """Do it unless it is time to rest; `removed`: there is something since the last call."""
        database, began = platform.database, self.clock()
        self._removed |= removed or platform.to_forget
        if began < self._until:
            return
        while await database.write(search.erase_some, heavy=True):  # also what a run's end wiped
            self._removed = True
        if self._removed:
            self._removed = platform.to_forget = not await self._forget(platform)
        ended = self.clock()
        self._until = ended + _REST * (ended - began)

    async def _forget(self, platform: Platform) -> bool:
        """Whether it is out of the files. If somebody reads them long, `cleaner` tries again."""
        database = platform.database
        for _ in range(_TRIES):
            if await asyncio.to_thread(database.forget_freed):
                return True
            await asyncio.sleep(_TRY_SECONDS)
        return False


async def _remove(platform: Platform, project_id: str | None) -> dict[str, int]:
    removed = dict.fromkeys([str(what) for what in What], 0)
    for rule in await platform.database.read(lambda c: retention.rules(c, now(), project_id)):
        removed[rule.what] += await _apply(platform, rule)
    if project_id is None:
        await _remove_collections(platform)
        while await platform.database.write(alerts.forget_old):
            pass
    if any(removed.values()):
        log.info(
            "retention.removed",
            documents=removed[What.DOCUMENTS],
            logs=removed[What.LOGS],
            runs=removed[What.RUNS],
            erased=removed[What.ERASED],
        )
    return removed


async def _apply(platform: Platform, rule: Rule) -> int:
    """How much was removed."""
    database, done = platform.database, 0
    while ids := await database.read(
        partial(retention.find, rule=rule, most=database.step(retention.STEP))
    ):
        remove_lines = partial(retention.remove_lines, rule=rule, ids=ids)
        while await database.write(
            partial(remove_lines, most=database.step(retention.LINES)), heavy=True
        ):
            pass
        while await database.write(
            partial(retention.remove_words, rule=rule, ids=ids), heavy=True
        ):
            pass
        await database.write(partial(retention.remove, rule=rule, ids=ids), heavy=True)
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
    some = partial(collections.some_items, collection_id=collection_id, chosen=chosen)
    while ids := await database.read(partial(some, after=after, step=database.step)):
        count += await database.write(
            partial(collections.delete_some, collection_id=collection_id, ids=ids, chosen=chosen),
            heavy=True,
        )
        after = ids[-1]
    return count


def planned(connection: Connection, project_id: str) -> dict[str, int]:
    """A dry run: how much of a project would be removed now."""
    told = retention.rules(connection, now(), project_id)
    return {rule.what: retention.count(connection, rule) for rule in told}

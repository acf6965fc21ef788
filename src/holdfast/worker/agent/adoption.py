"""Adoption: an agent takes over the journals that an earlier one has left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path

from holdfast import log
from holdfast.journal import JournalLocked
from holdfast.worker.run_folders import FoundRun, RunFolders, Unread, remove

#: Between attempts at a folder that cannot be had: the first, the most; seconds.
_AGAIN_SECONDS = (1.0, 60.0)


class Adoption:
    """`take` gets each run that goes on; `start` makes a task of what takes longer."""

    def __init__(
        self,
        run_folders: RunFolders,
        take: Callable[[FoundRun], None],
        start: Callable[[Coroutine[None, None, None]], None],
    ) -> None:
        self._run_folders = run_folders
        self._take = take
        self._start = start

    async def all(self) -> None:
        """Every journal that is not put away: continue, deliver, or report what is true."""
        for found in await asyncio.to_thread(lambda: list(self._run_folders.found())):
            try:
                await self._one(found)
            except (OSError, JournalLocked) as error:
                self._start(self._later(_path_of(found), error))

    async def _one(self, case: FoundRun | Path | Unread) -> None:
        """Raises OSError where the disk will not let us look or tidy up now."""
        if isinstance(case, Unread):
            raise case.error
        if isinstance(case, Path):
            if await asyncio.to_thread(self._run_folders.is_bare, case):
                await asyncio.to_thread(remove, case)
            else:
                kept = await asyncio.to_thread(self._run_folders.set_aside, case)
                log.error("journal.unreadable", folder=kept)
        elif case.delivery.over:
            await asyncio.to_thread(self._run_folders.put_away, case.folder, keep=case.keep)
        else:
            log.info("run.adopted", run=case.run_id, launched=case.launched, ended=case.ended)
            self._take(case)

    async def _later(self, path: Path, error: Exception) -> None:
        """One folder that cannot be had now keeps neither the worker nor the others waiting."""
        delay = _AGAIN_SECONDS[0]
        while True:
            log.error("journal.not_adopted", folder=path, why=error, retry_seconds=delay)
            await asyncio.sleep(delay)
            delay = min(_AGAIN_SECONDS[1], delay * 2)
            try:
                await self._one(await asyncio.to_thread(self._run_folders.look, path))
            except (OSError, JournalLocked) as again:
                error = again
            else:
                return


def _path_of(found: FoundRun | Path | Unread) -> Path:
    if isinstance(found, Path):
        return found
    return found.folder.path if isinstance(found, FoundRun) else found.path

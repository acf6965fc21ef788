"""Works off retries and cancellations of many runs, some at a time, beside the load.

Of several platforms one does it. Each step is a transaction of its own.
"""

from __future__ import annotations

import asyncio
from functools import partial

from holdfast import log
from holdfast.platform.service import Platform
from holdfast.platform.settings import Settings
from holdfast.platform.start.actions import OF_MANY, ActionError, cancel, retry
from holdfast.platform.store import bulk
from holdfast.platform.store.bulk import Step
from holdfast.platform.store.database import Row, Transaction, is_passing
from holdfast.platform.store.history import Page
from holdfast.platform.store.runs import lock_run, newer_run_exists

_SECONDS = 1.0
_NO_RIGHT = "Who asked for it may no longer start or cancel runs of this project."


async def bulk_worker(platform: Platform) -> None:
    """Look each second until cancelled."""
    while True:
        await asyncio.sleep(_SECONDS)
        if await platform.lead.is_mine():
            await work_off(platform)


async def work_off(platform: Platform) -> None:
    """Do all that was asked for. An action that meets a fault goes on from its place when this is
    called again; a run that keeps failing is skipped. A database that is away is waited for.
    """
    for key in await platform.database.read(bulk.running):
        try:
            while await _step(platform, key):
                pass
        except Exception as error:
            if is_passing(error):
                log.warn("bulk.waits", id=key, why=type(error).__name__)
                continue
            problem = f"{type(error).__name__}: the platform's log has more"
            log.failure("bulk.failed", error, id=key)
            await platform.database.write(partial(bulk.failed, key=key, problem=problem))


async def _step(platform: Platform, key: str) -> bool:
    """Some runs more; False: it has ended."""
    database = platform.database
    row = await database.read(partial(bulk.find, key=key))
    if row is None or row.state != bulk.RUNNING:
        return False
    page = await database.read(partial(bulk.following, row=row))
    work = partial(_apply, settings=platform.settings, row=row, page=page)
    if not await database.write(work):
        log.warn("bulk.refused", id=key, action=row.action, by=row.created_by)
        return False
    if page.older is None:
        log.info("bulk.done", id=key, action=row.action)
    return page.older is not None


def _apply(tx: Transaction, settings: Settings, row: Row, page: Page) -> bool:
    """False: who asked for it may do it no longer, and it is stopped."""
    if not bulk.hold(tx, row):
        return True  # it was stopped, or another platform has gone on with it
    if not bulk.may_go_on(tx, row):
        bulk.end(tx, row.id, bulk.STOPPED, _NO_RIGHT)
        return False
    done, skipped, problem = 0, 0, None
    for run in page.rows:
        try:
            _one(tx, settings, row, run)
            done += 1
        except ActionError as error:
            skipped, problem = skipped + 1, f"run {run.id}: {error.message}"
    bulk.move(tx, row, Step(done, skipped, problem, page.older))
    return True


def _one(tx: Transaction, settings: Settings, row: Row, run: Row) -> None:
    """Raises ActionError, before anything is changed."""
    if row.tries >= bulk.TRIES:  # it is alone in this step
        raise ActionError(row.problem)
    act_on(tx, settings, row.action, run, by=row.created_by)


def act_on(tx: Transaction, settings: Settings, action: str, run: Row, *, by: str) -> None:
    """Retry or cancel one of many runs. Raises ActionError, before anything is changed."""
    if action == "cancel":
        cancel(tx, run.id, by=by)
        return
    lock_run(tx, run.id)
    if newer_run_exists(tx.connection, run):
        message = "A newer run of its work order exists."
        raise ActionError(message)
    retry(tx, settings, run.id, by=by, lane=OF_MANY)

"""Starts the retries that are due. Each platform does; whoever takes the plan makes the run."""

from __future__ import annotations

import asyncio
from functools import partial

from holdfast import log
from holdfast.platform.clock import now
from holdfast.platform.service import Platform
from holdfast.platform.settings import Settings
from holdfast.platform.start.actions import ActionError, retry
from holdfast.platform.store import retries
from holdfast.platform.store.database import Transaction
from holdfast.platform.store.runs import lock_run, newer_run_exists, note

_SECONDS = 1.0


async def retrier(platform: Platform) -> None:
    """Look every second until cancelled."""
    while True:
        await start_due(platform)
        await asyncio.sleep(_SECONDS)


async def start_due(platform: Platform) -> list[str]:
    """Make the runs of all retries that are due; their ids. An error keeps no other waiting."""
    database, made = platform.database, list[str]()
    for run_id in await database.read(lambda c: retries.due(c, now())):
        try:
            made_id = await database.write(
                partial(start, run_id=run_id, settings=platform.settings)
            )
        except Exception as error:
            log.failure("retry.failed", error, run=run_id)
            problem = f"{type(error).__name__}: the platform's log has more"
            if await database.write(partial(retries.failed, run_id=run_id, problem=problem)):
                log.warn("retry.given_up", run=run_id, why=problem)
            continue
        if made_id is not None:
            log.info("run.retried", run=run_id, retry=made_id)
            made.append(made_id)
    return made


def start(tx: Transaction, run_id: str, settings: Settings) -> str | None:
    """The run that retries another; None: there is no plan any more, or it cannot be retried."""
    run = lock_run(tx, run_id)
    if not retries.drop(tx, run_id):
        return None
    if run is None or newer_run_exists(tx.connection, run):
        return None  # removed, or somebody was quicker
    if retries.rule_of(tx.connection, run.workflow_id) is None:
        note(tx, run_id, "not retried", why="the workflow has no retries any more")
        return None
    try:
        created = retry(
            tx,
            settings,
            run_id,
            by=retries.BY_ITSELF,
            lane=(run.queue, run.priority),
            retries=run.retries + 1,
        )
    except ActionError as error:
        note(tx, run_id, "not retried", why=error.message)
        return None
    note(tx, run_id, "retried", retry=created.run_id)
    return created.run_id

"""Finds runs whose worker has gone silent, and closes their open steps (3.3, 3.6).

1. *not joined*: the claim's deadline has passed. The run goes back to the queue.
2. *no news*: neither the worker nor the run's channel is connected, and nothing has come for the
   silence limit. The run is given up.
3. *over time*: timeout and grace have passed since the start. The run is given up. While its
   channel is joined, the worker gets the same time again: after an outage it delivers late.

After a start of the platform every active run gets a fresh silence window, so that workers have
time to come back.
"""

from __future__ import annotations

import asyncio
import json
from functools import partial

from holdfast import log
from holdfast.platform.clock import SECOND, now
from holdfast.platform.service import Platform
from holdfast.platform.store.database import Row, Transaction
from holdfast.platform.store.runs import find_run, unfinished
from holdfast.platform.store.steps import close_left_over_steps
from holdfast.platform.workers.claims import give_up, return_claim


async def janitor(platform: Platform) -> None:
    """Look every few seconds until cancelled."""
    while True:
        await asyncio.sleep(platform.settings.janitor_seconds)
        await sweep(platform)


async def sweep(platform: Platform) -> None:
    """One look. An error with one run does not keep the others waiting."""
    at = now()
    for run in await platform.database.read(unfinished):
        try:
            await _look_at(platform, run, at)
        except Exception as error:
            log.failure("janitor.failed", error, run=run.id)
    grace = int(platform.settings.grace_seconds * SECOND)
    await platform.database.write(lambda tx: close_left_over_steps(tx, grace))


async def _look_at(platform: Platform, run: Row, at: int) -> None:
    if run.joined_at is None and (run.claim_expires_at or 0) < at:
        back = partial(
            return_claim, run_id=run.id, claim_id=run.claim_id, why="its channel was not joined"
        )
        if await platform.database.write(back):
            log.warn("claim.returned", run=run.id, worker=run.worker_id)
        return
    if (detector := verdict(platform, run, at)) is None:
        return
    connected = platform.workers.is_connected(run.worker_id)

    def end(tx: Transaction) -> bool:
        fresh = find_run(tx.connection, run.id)
        if fresh is None or (fresh.state, fresh.last_event_at) != (run.state, run.last_event_at):
            return False  # news came in between
        return give_up(tx, fresh, detector, worker_connected=connected)

    if await platform.database.write(end):
        log.warn("run.given_up", run=run.id, detector=detector, worker=run.worker_id)


def verdict(platform: Platform, run: Row, at: int) -> str | None:
    """Which detector gives a joined run up, if one does."""
    settings, workers = platform.settings, platform.workers
    channel = workers.has_channel(run.id)
    heard = max(run.last_event_at or 0, platform.started_at)
    silent = at - heard > settings.silence_seconds * SECOND
    if silent and not channel and not workers.is_connected(run.worker_id):
        return "no news"
    limit = json.loads(run.options)["run_timeout_ms"] * 1000
    allowed = limit * (2 if channel else 1) + int(settings.grace_seconds * SECOND)
    began = run.started_at or run.claimed_at or at
    if at - began > allowed and (
        channel or at - platform.started_at > settings.grace_seconds * SECOND
    ):
        return "over time"
    return None

"""Finds runs whose worker has gone silent, and closes their open steps (3.3, 3.6).

1. *not joined*: the claim's deadline has passed. The run goes back to the queue.
2. *no news*: neither the worker nor the run's channel is connected, to any platform, and nothing
   has come for the silence limit. The run is given up.
3. *over time*: timeout and grace have passed since the start. The run is given up. While its
   channel is joined, the worker gets the same time again: after an outage it delivers late.

After a start of the platform every active run gets a fresh silence window, so that workers have
time to come back; so do the runs of another platform that died. It reads on a reader's connection
and writes only where something is to be changed.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from functools import partial

from holdfast import log
from holdfast.platform.clock import SECOND, now
from holdfast.platform.service import Platform
from holdfast.platform.settings import Settings
from holdfast.platform.store import steps
from holdfast.platform.store.database import Connection, Row, Transaction
from holdfast.platform.store.liveness import Sighting, sightings
from holdfast.platform.store.runs import lock_run
from holdfast.platform.workers.claims import give_up, return_claim

_NOT_JOINED = "not joined"


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What is to be done about a run: the detector that found it."""

    run: Row
    detector: str
    worker_connected: bool


async def janitor(platform: Platform) -> None:
    """Look every few seconds until cancelled; of several platforms one looks."""
    while True:
        await asyncio.sleep(platform.settings.janitor_seconds)
        if await platform.lead.is_mine():
            await sweep(platform)


async def sweep(platform: Platform) -> None:
    """One look. An error with one run does not keep the others waiting."""
    for found in await platform.database.read(partial(_verdicts, platform=platform)):
        try:
            await _act(platform, found)
        except Exception as error:
            log.failure("janitor.failed", error, run=found.run.id)
    ended_before = now() - int(platform.settings.grace_seconds * SECOND)
    while left := await platform.database.read(lambda c: steps.left_over(c, ended_before)):
        await platform.database.write(partial(steps.close_left_over, found=left))


def _verdicts(connection: Connection, platform: Platform) -> list[_Verdict]:
    at, found = now(), list[_Verdict]()
    for seen in sightings(connection, at):
        run, here = seen.run, platform.workers
        channel = seen.channel or here.has_channel(run.id)
        if run.platform_id == platform.id:
            channel = here.has_channel(run.id)  # we know better than our last word in the database
        worker = seen.worker or here.is_connected(run.worker_id)
        known = Sighting(run, channel, worker, seen.heard_at)
        if (detector := verdict(known, platform.settings, at, platform.started_at)) is not None:
            found.append(_Verdict(run, detector, worker))
    return found


def verdict(seen: Sighting, settings: Settings, at: int, started_at: int) -> str | None:
    """Which detector finds a run, if one does. `started_at`: of the platform that looks."""
    run = seen.run
    if run.joined_at is None and (run.claim_expires_at or 0) < at:
        return _NOT_JOINED
    silent = at - max(seen.heard_at, started_at) > settings.silence_seconds * SECOND
    if silent and not seen.channel and not seen.worker:
        return "no news"
    limit = json.loads(run.options)["run_timeout_ms"] * 1000
    allowed = limit * (2 if seen.channel else 1) + int(settings.grace_seconds * SECOND)
    began = run.started_at or run.claimed_at or at
    if at - began > allowed and (
        seen.channel or at - started_at > settings.grace_seconds * SECOND
    ):
        return "over time"
    return None


async def _act(platform: Platform, found: _Verdict) -> None:
    run = found.run
    if found.detector == _NOT_JOINED:
        why = "its channel was not joined"
        back = partial(return_claim, run_id=run.id, claim_id=run.claim_id, why=why)
        if await platform.database.write(back):
            log.warn("claim.returned", run=run.id, worker=run.worker_id)
    elif await platform.database.write(partial(_end, found=found)):
        log.warn("run.given_up", run=run.id, detector=found.detector, worker=run.worker_id)


def _end(tx: Transaction, found: _Verdict) -> bool:
    fresh, known = lock_run(tx, found.run.id), found.run
    if fresh is None or _news(fresh) != _news(known):
        return False  # news came in between
    return give_up(tx, fresh, found.detector, worker_connected=found.worker_connected)


def _news(run: Row) -> tuple[object, ...]:
    return run.state, run.last_event_at, run.platform_id

"""Cron triggers (`docs/spec/platform.md` 5.4): every minute, UTC, one work order per trigger.

Missed minutes are not caught up. The minute is written to the trigger before anything else, so
that several platform processes, or a clock that jumps back, start nothing twice.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

from cronsim import CronSim, CronSimError

from holdfast import log
from holdfast.platform.clock import SECOND, now
from holdfast.platform.service import Platform
from holdfast.platform.settings import Settings
from holdfast.platform.store import dataclips, triggers, workflows
from holdfast.platform.store.database import Connection, Transaction
from holdfast.platform.store.runs import Created, Start, create_work_order

_MINUTE = 60 * SECOND


async def cron(platform: Platform) -> None:
    """Fire at every full minute until cancelled."""
    while True:
        at = now()
        await asyncio.sleep((_MINUTE - at % _MINUTE) / SECOND)
        minute = now() // _MINUTE * _MINUTE
        await fire_due(platform, minute)


async def fire_due(platform: Platform, minute: int) -> list[Created]:
    """Start what is due at this minute. One trigger that fails does not stop the others."""
    made = []
    for trigger_id in await platform.database.read(lambda c: due(c, minute)):
        try:
            created = await platform.database.write(
                partial(fire, trigger_id=trigger_id, minute=minute, settings=platform.settings)
            )
        except Exception as error:
            log.failure("cron.failed", error, trigger=trigger_id)
            continue
        if created is not None:
            log.info("cron.fired", trigger=trigger_id, run=created.run_id)
            made.append(created)
    return made


def due(connection: Connection, minute: int) -> list[str]:
    """Enabled cron triggers whose expression matches this minute."""
    found = triggers.cron_triggers(connection)
    return [row.id for row in found if matches(row.cron_expression or "", minute)]


def matches(expression: str, minute: int) -> bool:
    moment = datetime.fromtimestamp(minute // SECOND, UTC)
    try:
        return next(CronSim(expression, moment - timedelta(minutes=1))) == moment
    except (CronSimError, StopIteration):
        return False


def next_time(expression: str) -> int | None:
    """When it fires next, in microseconds."""
    try:
        return int(next(CronSim(expression, datetime.now(UTC))).timestamp()) * SECOND
    except (CronSimError, StopIteration):
        return None


def fire(tx: Transaction, trigger_id: str, minute: int, settings: Settings) -> Created | None:
    """One work order, unless this minute was served already."""
    trigger = triggers.take_minute(tx, trigger_id, minute)
    if trigger is None:
        return None
    workflow_id = trigger.workflow_id
    clip_id = dataclips.latest_output(tx.connection, workflow_id, trigger.cron_cursor_job_id)
    if clip_id is None:
        project_id = workflows.project_of(tx.connection, workflow_id)
        clip_id = dataclips.insert_clip(tx, project_id=project_id, kind="global", body="{}")
    start = Start(workflow_id, clip_id, trigger_id=trigger_id)
    return create_work_order(tx, start, settings)

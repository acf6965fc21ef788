"""Cron triggers (`docs/spec/platform.md` 5.4): every minute, UTC, one work order per trigger.

Missed minutes are not caught up. The minute is written to the trigger before anything else, so
that several platform processes, or a clock that jumps back, start nothing twice.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from functools import partial

from cronsim import CronSim, CronSimError
from sqlalchemy import Connection, or_, select, update

from holdfast.platform.clock import SECOND, now
from holdfast.platform.service import Platform
from holdfast.platform.settings import Settings
from holdfast.platform.store import dataclips
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Transaction
from holdfast.platform.store.runs import Created, Start, create_work_order

logger = logging.getLogger("holdfast.platform")

_MINUTE = 60 * SECOND


async def cron(platform: Platform) -> None:
    """Fire at every full minute, for ever."""
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
        except Exception:
            logger.exception("cron.failed trigger=%s", trigger_id)
            continue
        if created is not None:
            logger.info("cron.fired trigger=%s run=%s", trigger_id, created.run_id)
            made.append(created)
    return made


def due(connection: Connection, minute: int) -> list[str]:
    """Enabled cron triggers whose expression matches this minute."""
    rows = connection.execute(
        select(t.triggers.c.id, t.triggers.c.cron_expression).where(
            t.triggers.c.type == "cron", t.triggers.c.enabled
        )
    )
    return [row.id for row in rows if matches(row.cron_expression or "", minute)]


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
    c = t.triggers.c
    mine = tx.connection.execute(
        update(t.triggers)
        .where(
            c.id == trigger_id, c.enabled, or_(c.last_fired_at.is_(None), c.last_fired_at < minute)
        )
        .values(last_fired_at=minute)
    )
    if mine.rowcount != 1:
        return None
    trigger = tx.connection.execute(select(t.triggers).where(c.id == trigger_id)).one()
    clip_id = cursor(tx.connection, trigger.workflow_id, trigger.cron_cursor_job_id)
    if clip_id is None:
        project_id = tx.connection.scalar(
            select(t.workflows.c.project_id).where(t.workflows.c.id == trigger.workflow_id)
        )
        clip_id = dataclips.insert_clip(tx, project_id=str(project_id), kind="global", body="{}")
    start = Start(trigger.workflow_id, clip_id, trigger_id=trigger_id)
    return create_work_order(tx, start, settings)


def cursor(connection: Connection, workflow_id: str, job_id: str | None) -> str | None:
    """The dataclip to go on from: of the cursor job's latest success, else of the workflow's."""
    kept = t.dataclips.c.wiped_at.is_(None)
    if job_id is not None:
        query = (
            select(t.dataclips.c.id)
            .join(t.steps, t.steps.c.output_dataclip_id == t.dataclips.c.id)
            .where(t.steps.c.job_id == job_id, t.steps.c.exit_reason == "success", kept)
            .order_by(t.steps.c.finished_at.desc())
        )
    else:
        query = (
            select(t.dataclips.c.id)
            .join(t.runs, t.runs.c.final_dataclip_id == t.dataclips.c.id)
            .where(t.runs.c.workflow_id == workflow_id, t.runs.c.state == "success", kept)
            .order_by(t.runs.c.finished_at.desc())
        )
    found: str | None = connection.scalar(query.limit(1))
    return found

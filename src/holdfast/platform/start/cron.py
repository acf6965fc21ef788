"""Cron triggers (`docs/spec/platform.md` 5.4): each time in its zone, one work order per trigger.

A trigger remembers up to when its times are decided. Whoever moves that mark makes the runs in the
same transaction, and only from where it was seen: so that several platform processes, a restart or
a clock that jumps back start nothing twice. What came while nobody looked was missed; the
trigger's author says what becomes of it (`project/schedule.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from cronsim import CronSimError

from holdfast import log
from holdfast.platform.clock import SECOND, now
from holdfast.platform.project.model import CRON_DEFAULTS
from holdfast.platform.project.schedule import CatchUp, Overlap, Schedule, to_start
from holdfast.platform.service import Platform
from holdfast.platform.settings import Settings
from holdfast.platform.store import dataclips, triggers, workflows
from holdfast.platform.store.database import Connection, Row, Transaction
from holdfast.platform.store.runs import Created, Start, create_work_order

_MINUTE = 60 * SECOND
#: Work orders that one transaction makes, and how soon what failed is tried again, seconds.
_STEP, _AGAIN_SECONDS = 20, 2.0


@dataclass(frozen=True, slots=True)
class Due:
    """What is decided of a trigger. Times are microseconds."""

    trigger_id: str
    #: Up to when its times were decided; None: it is new.
    before: int | None
    until: int
    #: Those that get a run.
    times: list[int]
    missed: int = 0
    overlap: Overlap = Overlap.ALL

    def steps(self) -> Iterator[Due]:
        """The same in parts that are small enough for a transaction."""
        last = self
        while len(last.times) > _STEP:
            part = replace(last, until=last.times[_STEP - 1], times=last.times[:_STEP])
            yield part
            last = replace(last, before=part.until, times=last.times[_STEP:])
        yield last


async def cron(platform: Platform) -> None:
    """Look at every full minute, and at once after a start, until cancelled."""
    while True:
        minute = now() // _MINUTE * _MINUTE
        whole = await _fire(platform, minute, [])
        rest = (minute + _MINUTE - now()) / SECOND
        await asyncio.sleep(max(0.0, rest if whole else min(rest, _AGAIN_SECONDS)))


async def fire_due(platform: Platform, minute: int) -> list[Created]:
    """Start what is due by this minute. One trigger that fails does not stop the others."""
    made = list[Created]()
    await _fire(platform, minute, made)
    return made


async def _fire(platform: Platform, minute: int, made: list[Created]) -> bool:
    """Whether all went well; what was not decided is due still."""
    whole = True
    for found in await platform.database.read(lambda c: due(c, minute)):
        try:
            for step in found.steps():
                fire_step = partial(fire, due=step, settings=platform.settings)
                for created in await platform.database.write(fire_step):
                    log.info("cron.fired", trigger=found.trigger_id, run=created.run_id)
                    late = (now() - step.until) / SECOND
                    platform.figures.cron_late.observe(max(0.0, late))
                    made.append(created)
        except Exception as error:
            log.failure("cron.failed", error, trigger=found.trigger_id)
            whole = False
    return whole


def due(connection: Connection, minute: int) -> list[Due]:
    """Enabled cron triggers of which something is to be decided."""
    found = (_due(row, minute) for row in triggers.cron_triggers(connection))
    return [item for item in found if item is not None]


def _due(row: Row, minute: int) -> Due | None:
    """None: it has nothing to decide."""
    before = row.last_fired_at
    if before is not None and before >= minute:
        return None
    after, until = _moment(minute - _MINUTE if before is None else before), _moment(minute)
    try:
        times = schedule_of(row).between(after, until)
    except CronSimError:
        return None  # it was deployed by a version with other rules
    if not times and before is not None:
        return None
    chosen = to_start(times, until, CatchUp(row.cron_catch_up or CatchUp.NONE))
    started = [_microseconds(time) for time in chosen]
    overlap = Overlap(row.cron_overlap or Overlap.ALL)
    return Due(row.id, before, minute, started, len(times) - len(chosen), overlap)


def schedule_of(row: Row) -> Schedule:
    """When a trigger is due."""
    zone = row.cron_timezone or CRON_DEFAULTS["cron_timezone"]
    return Schedule(row.cron_expression or "", zone)


def next_times(schedule: Schedule, count: int = 1) -> list[int]:
    """When it is due next, in microseconds."""
    times = schedule.after(datetime.now(UTC))
    try:
        return [_microseconds(next(times)) for _ in range(count)]
    except (CronSimError, StopIteration):
        return []


def next_time(expression: str, timezone: str | None = None) -> int | None:
    """When an expression is due next, in microseconds."""
    return next(iter(next_times(Schedule(expression, timezone or "UTC"))), None)


def fire(tx: Transaction, due: Due, settings: Settings) -> list[Created]:
    """The work orders of what is due, unless another platform has decided it meanwhile."""
    trigger = triggers.decide(tx, due.trigger_id, due.before, due.until)
    if trigger is None:
        return []
    if due.missed:
        log.info("cron.missed", trigger=trigger.id, times=due.missed)
    return [
        _create(tx, trigger, time, settings)
        for time in due.times
        if due.overlap is not Overlap.SKIP or not _skips(tx, trigger)
    ]


def _skips(tx: Transaction, trigger: Row) -> bool:
    going = triggers.has_unfinished_run(tx.connection, trigger)
    if going:
        log.info("cron.skipped", trigger=trigger.id)
    return going


def _create(tx: Transaction, trigger: Row, time: int, settings: Settings) -> Created:
    workflow_id = trigger.workflow_id
    clip_id = dataclips.latest_output(tx.connection, workflow_id, trigger.cron_cursor_job_id)
    if clip_id is None:
        project_id = workflows.project_of(tx.connection, workflow_id)
        clip_id = dataclips.insert_clip(tx, project_id=project_id, kind="global", body="{}")
    start = Start(workflow_id, clip_id, trigger_id=trigger.id, scheduled_at=time)
    return create_work_order(tx, start, settings)


def _moment(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds // SECOND, UTC)


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * SECOND

"""Cron triggers (`docs/spec/platform.md` 5.4): each time in its zone, one work order per trigger.

A trigger remembers up to when its times are decided. Whoever moves that mark makes the runs in the
same transaction, and only from where it was seen: so that several platform processes, a restart or
a clock that jumps back start nothing twice. What came while nobody looked was missed; the
trigger's author says what becomes of it (`project/schedule.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice

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
#: What a process could not do in its minute it does as late as this.
_LATE = 10 * _MINUTE
#: Work orders that one transaction makes, and how soon what failed is tried again, seconds: each
#: time twice as late, at latest in the next minute.
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


@dataclass(slots=True)
class Looks:
    """What a process has looked at, so that what fails meanwhile is late, and not missed."""

    #: The last minute for which all triggers were read.
    looked: int
    #: By trigger: the first minute whose runs could not be made.
    owed: dict[str, int] = field(default_factory=dict)

    def since(self, trigger_id: str, minute: int) -> int:
        """From when on a trigger's times are not missed, microseconds."""
        first = min(self.owed.get(trigger_id, minute), self.looked + _MINUTE, minute)
        return max(first, minute - _LATE)


async def cron(platform: Platform) -> None:
    """Look at every full minute, and at once after a start, until cancelled."""
    looks, failed = Looks(now() // _MINUTE * _MINUTE - _MINUTE), 0
    while True:
        minute = now() // _MINUTE * _MINUTE
        try:
            await fire_due(platform, minute, looks)
        except Exception as error:  # what is owed must not be forgotten
            log.failure("chore.failed", error, name="cron")
        well = not looks.owed and looks.looked == minute
        failed = 0 if well else failed + 1
        rest = (minute + _MINUTE - now()) / SECOND
        again = rest if well else min(rest, _AGAIN_SECONDS * 2 ** min(failed - 1, 5))
        await asyncio.sleep(max(0.0, again))


async def fire_due(platform: Platform, minute: int, looks: Looks | None = None) -> list[Created]:
    """Start what is due by this minute. One trigger that fails does not stop the others."""
    made, looks = list[Created](), looks or Looks(minute - _MINUTE)
    found = await platform.database.read(lambda c: due(c, minute, looks))
    looks.looked = minute
    kept = {one.trigger_id for one in found}
    looks.owed = {key: first for key, first in looks.owed.items() if key in kept}
    for one in found:
        looks.owed.setdefault(one.trigger_id, minute)
        try:
            for step in one.steps():
                made += await _fire_step(platform, step)
        except Exception as error:
            log.failure("cron.failed", error, trigger=one.trigger_id)
        else:
            del looks.owed[one.trigger_id]
    return made


async def _fire_step(platform: Platform, step: Due) -> list[Created]:
    made = await platform.database.write(partial(fire, due=step, settings=platform.settings))
    for created in made:
        log.info("cron.fired", trigger=step.trigger_id, run=created.run_id)
        late = (now() - step.until) / SECOND
        platform.figures.cron_late.observe(max(0.0, late))
    return made


def due(connection: Connection, minute: int, looks: Looks | None = None) -> list[Due]:
    """Enabled cron triggers of which something is to be decided.

    One whose row cannot be understood is told, and rests.
    """
    found, looks = list[Due](), looks or Looks(minute - _MINUTE)
    for row in triggers.cron_triggers(connection):
        try:
            item = _due(row, minute, looks.since(row.id, minute))
        except (CronSimError, ValueError) as error:
            log.failure("cron.failed", error, trigger=row.id)
            continue
        if item is not None:
            found.append(item)
    return found


def _due(row: Row, minute: int, since: int) -> Due | None:
    """None: it has nothing to decide. Raises CronSimError, ValueError."""
    before = row.last_fired_at
    if before is not None and before >= minute:
        return None
    after, until = _moment(minute - _MINUTE if before is None else before), _moment(minute)
    times = schedule_of(row).between(after, until)
    if not times and before is not None:
        return None
    chosen = to_start(times, _moment(since), CatchUp(row.cron_catch_up or CatchUp.NONE))
    started = [_microseconds(time) for time in chosen]
    overlap = Overlap(row.cron_overlap or Overlap.ALL)
    return Due(row.id, before, minute, started, len(times) - len(chosen), overlap)


def schedule_of(row: Row) -> Schedule:
    """When a trigger is due."""
    zone = row.cron_timezone or CRON_DEFAULTS["cron_timezone"]
    return Schedule(row.cron_expression or "", zone)


def next_times(schedule: Schedule, count: int = 1) -> list[int]:
    """When it is due next, in microseconds; none: it is no schedule, or it is over."""
    found = list[int]()
    with suppress(CronSimError):
        for time in islice(schedule.after(datetime.now(UTC)), count):
            found.append(_microseconds(time))
    return found


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

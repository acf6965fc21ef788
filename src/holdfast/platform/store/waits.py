"""Why a run waits: what `queue.claim` would meet, told to people."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from sqlalchemy import select

from holdfast.platform.store import process_tables as pt
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.store.lanes import DEFAULT
from holdfast.platform.store.line import ALL_GOING, BUSY
from holdfast.platform.store.liveness import living
from holdfast.platform.store.pauses import queue_pause


class Why(Enum):
    """What stands in the way of a run; the first that holds is told."""

    QUEUE_PAUSED = "queue_paused"
    WORKFLOW_PAUSED = "workflow_paused"
    NO_WORKER = "no_worker"
    #: Workers are connected, but none asks for its queue.
    NO_WORKER_FOR_QUEUE = "no_worker_for_queue"
    WORKFLOW_FULL = "workflow_full"
    PROJECT_FULL = "project_full"
    #: Its cron trigger lets one run go at a time.
    ONE_AT_A_TIME = "one_at_a_time"
    WORKERS_FULL = "workers_full"
    #: Nothing that is seen here: whether the workers that have room ask for its queue is not.
    SOON = "soon"


@dataclass(frozen=True, slots=True)
class Wait:
    """`by`: who has paused; or the queue. `limit`: of a workflow, a project, or all workers."""

    why: Why
    by: str = ""
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Workers:
    """Those that are connected: how many runs they can have, and from which queues (`*`: all)."""

    capacity: int = 0
    queues: frozenset[str] = frozenset()

    def serve(self, queue: str) -> bool:
        return queue in self.queues or "*" in self.queues


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a workflow and its project; None: there is none."""

    of_workflow: int | None
    of_project: int | None
    paused_by: str | None


@dataclass(frozen=True, slots=True)
class Scene:
    """What runs meet: limits by workflow, and what is under way, by workflow and by project."""

    workers: Workers
    paused_by: str | None = None
    limits: dict[str, Limits] = field(default_factory=dict)
    going: Counter[str] = field(default_factory=Counter)
    under_way: int = 0
    #: Cron triggers whose runs go one after the other, and that have one under way.
    busy: frozenset[str] = frozenset()

    def wait(self, run: Row) -> Wait:
        """Why this run waits, which does."""
        limits = self.limits.get(run.workflow_id) or Limits(None, None, None)
        own, together = limits.of_workflow, limits.of_project
        room = self.workers.capacity
        ways: Iterable[tuple[bool, Wait]] = (
            (self.paused_by is not None, Wait(Why.QUEUE_PAUSED, self.paused_by or "")),
            (limits.paused_by is not None, Wait(Why.WORKFLOW_PAUSED, limits.paused_by or "")),
            (not room, Wait(Why.NO_WORKER)),
            (not self.workers.serve(run.queue), Wait(Why.NO_WORKER_FOR_QUEUE, run.queue)),
            (self._full(run.workflow_id, own), Wait(Why.WORKFLOW_FULL, limit=own or 0)),
            (self._full(run.project_id, together), Wait(Why.PROJECT_FULL, limit=together or 0)),
            (run.queue == DEFAULT and run.starting_trigger_id in self.busy,
             Wait(Why.ONE_AT_A_TIME)),
            (self.under_way >= room, Wait(Why.WORKERS_FULL, limit=room)),
        )  # fmt: skip
        return next((wait for holds, wait in ways if holds), Wait(Why.SOON))

    def _full(self, key: str, limit: int | None) -> bool:
        return limit is not None and self.going[key] >= limit


def waits(connection: Connection, runs: Iterable[Row], at: int) -> dict[str, Wait]:
    """Why each run that waits does, by its id. `at`: now, microseconds."""
    waiting = [run for run in runs if run.state in t.WAITING_STATES]
    if not waiting:
        return {}
    scene = _scene(connection, waiting, at)
    return {run.id: scene.wait(run) for run in waiting}


def _scene(connection: Connection, waiting: list[Row], at: int) -> Scene:
    pause, going, under_way = queue_pause(connection), Counter[str](), 0
    for workflow, project, number in connection.execute(ALL_GOING):
        going[workflow] += number
        going[project] += number
        under_way += number
    return Scene(
        connected(connection, at),
        None if pause is None else pause.changed_by,
        _limits(connection, {run.workflow_id for run in waiting}),
        going,
        under_way,
        frozenset(connection.scalars(BUSY)),
    )


def connected(connection: Connection, at: int) -> Workers:
    """The workers that are connected now."""
    c = pt.workers.c
    mine = (c.disconnected_at.is_(None), c.platform_id.in_(sorted(living(connection, at))))
    capacity, queues = 0, set[str]()
    for has, text in connection.execute(select(c.capacity, c.queues).where(*mine)):
        capacity += has
        # who does not say for which queues it asks may ask for any
        queues |= {name for names in json.loads(text) or ("*",) for name in names.split(">")}
    return Workers(capacity, frozenset(queues))


def _limits(connection: Connection, ids: set[str]) -> dict[str, Limits]:
    w, p = t.workflows.c, t.projects.c
    query = (
        select(w.id, w.concurrency, p.concurrency, w.paused_at, w.paused_by)
        .join(t.projects, p.id == w.project_id)
        .where(w.id.in_(sorted(ids)))
    )
    return {
        key: Limits(own, together, None if paused_at is None else paused_by or "")
        for key, own, together, paused_at, paused_by in connection.execute(query)
    }

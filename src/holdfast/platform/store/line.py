"""Who is next: the heads of the queue, read once for all claims of a commit.

A lane is what waits of one workflow in one queue with one priority. Its head is its oldest run.
However long the queue, only heads are read: the index of claims is entered once for each lane.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from sqlalchemy import and_, bindparam, case, column, func, select, text

from holdfast.platform.project.schedule import Overlap
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.store.runs import DEFAULT

#: Queue, priority, project, workflow.
Lane: TypeAlias = tuple[str, int, str, str]
_LANE = ("queue", "priority", "project_id", "workflow_id")

#: Enters `ix_runs_claimable` once for each lane: after the last run of the one before.
_FIRST = text("""
WITH RECURSIVE head(id) AS (
  SELECT * FROM (
    SELECT id FROM runs WHERE state = 'available'
    ORDER BY queue, priority, project_id, workflow_id, inserted_at, id LIMIT 1
  ) AS first
  UNION ALL
  SELECT (
    SELECT later.id FROM runs AS later
    WHERE later.state = 'available'
      AND (later.queue, later.priority, later.project_id, later.workflow_id)
        > (known.queue, known.priority, known.project_id, known.workflow_id)
    ORDER BY later.queue, later.priority, later.project_id, later.workflow_id,
      later.inserted_at, later.id LIMIT 1
  )
  FROM head JOIN runs AS known ON known.id = head.id
)
SELECT id FROM head WHERE id IS NOT NULL
""")
_HEAD = _FIRST.columns(column("id")).subquery("head")
_ONE_AT_A_TIME = case(
    (
        and_(t.triggers.c.cron_overlap == Overlap.QUEUE.value, t.runs.c.queue == DEFAULT),
        t.triggers.c.id,
    )
).label("one_at_a_time")
_HEADS = (
    select(
        *(t.runs.c[name] for name in ("id", "inserted_at", "work_order_id")),
        _ONE_AT_A_TIME,
        *(t.runs.c[name] for name in _LANE),
        t.workflows.c.concurrency,
        t.workflows.c.paused_at,
        t.projects.c.concurrency,
        t.projects.c.last_claim_at,
    )
    .join(_HEAD, _HEAD.c.id == t.runs.c.id)
    .join(t.workflows, t.workflows.c.id == t.runs.c.workflow_id)
    .join(t.projects, t.projects.c.id == t.runs.c.project_id)
    .outerjoin(t.triggers, t.triggers.c.id == t.runs.c.starting_trigger_id)
)
_UNDER_WAY = (
    select(t.runs.c.workflow_id, t.runs.c.project_id, func.count())
    .where(t.UNDER_WAY)
    .group_by(t.runs.c.workflow_id, t.runs.c.project_id)
)
#: Cron triggers whose runs go one after the other, and that have one under way.
_BUSY = (
    select(t.runs.c.starting_trigger_id)
    .join(t.triggers, t.triggers.c.id == t.runs.c.starting_trigger_id)
    .where(t.UNDER_WAY, t.triggers.c.cron_overlap == Overlap.QUEUE.value)
)


#: What waits in a lane.
_WAITS = (
    select(t.runs.c.id, t.runs.c.inserted_at, t.runs.c.work_order_id, _ONE_AT_A_TIME)
    .outerjoin(t.triggers, t.triggers.c.id == t.runs.c.starting_trigger_id)
    .where(t.WAITING, *(t.runs.c[name] == bindparam(f"the_{name}") for name in _LANE))
    .order_by(t.runs.c.inserted_at, t.runs.c.id)
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Head:
    """The oldest run of a lane, and what its workflow and its project may have under way."""

    id: str
    inserted_at: int
    work_order_id: str
    #: A cron trigger whose runs go one after the other.
    one_at_a_time: str | None
    queue: str
    priority: int
    project_id: str
    workflow_id: str
    concurrency: int | None
    paused_at: int | None
    project_concurrency: int | None

    @property
    def lane(self) -> Lane:
        return self.queue, self.priority, self.project_id, self.workflow_id

    def behind(self, connection: Connection) -> Head | None:
        """What waits in the lane now that this run is gone."""
        names = zip(_LANE, self.lane, strict=True)
        values = {f"the_{name}": value for name, value in names}
        row = connection.execute(_WAITS, values).one_or_none()
        return None if row is None else replace(self, **row._mapping)


@dataclass(slots=True)
class Line:
    """Heads and room, brought up to date by what is taken."""

    heads: dict[Lane, Head]
    #: Runs under way, by workflow and by project.
    workflows: dict[str, int]
    projects: dict[str, int]
    busy: set[str]
    #: When a project got its last run, microseconds.
    turns: dict[str, int]
    #: Lanes whose head was taken; the one behind it is read when somebody asks.
    taken: dict[Lane, Head] = field(default_factory=dict)

    def best(
        self, rank: Callable[[str], int | None], behind: Callable[[Head], Head | None]
    ) -> Head | None:
        """The run that is next; None: nobody may have any.

        `rank` is the place of a queue among those that are asked for. `behind` finds what waits
        behind a head that was taken.
        """
        for lane, head in self.taken.items():
            if (found := behind(head)) is None:
                del self.heads[lane]
            else:
                self.heads[lane] = found
        self.taken.clear()
        ranks = {queue: rank(queue) for queue in {lane[0] for lane in self.heads}}
        eligible = (
            (ranks[lane[0]], lane[1], self.turns.get(lane[2], 0), head.inserted_at, lane[3], lane)
            for lane, head in self.heads.items()
            if ranks[lane[0]] is not None and self._may_start(head)
        )
        best = min(eligible, default=None)
        return None if best is None else self.heads[best[-1]]

    def _may_start(self, head: Head) -> bool:
        return (
            head.paused_at is None
            and self.workflows.get(head.workflow_id, 0) < _limit(head.concurrency)
            and self.projects.get(head.project_id, 0) < _limit(head.project_concurrency)
            and head.one_at_a_time not in self.busy
        )

    def took(self, head: Head, at: int) -> None:
        """The run is under way, and its project has had its turn."""
        workflow, project = head.workflow_id, head.project_id
        self.workflows[workflow] = self.workflows.get(workflow, 0) + 1
        self.projects[project] = self.projects.get(project, 0) + 1
        if head.one_at_a_time is not None:
            self.busy.add(head.one_at_a_time)
        self.turns[project] = at
        self.gone(head)

    def gone(self, head: Head) -> None:
        """The run does not wait any more."""
        self.taken[head.lane] = head


def _limit(concurrency: int | None) -> float:
    return float("inf") if concurrency is None else concurrency


def line_up(connection: Connection) -> Line:
    """The line as it is now. Whoever takes from it must be the only one who does."""
    rows = connection.execute(_HEADS).all()
    workflows, projects = dict[str, int](), dict[str, int]()
    for workflow, project, count in connection.execute(_UNDER_WAY):
        workflows[workflow] = workflows.get(workflow, 0) + count
        projects[project] = projects.get(project, 0) + count
    return Line(
        {head.lane: head for head in map(_head, rows)},
        workflows,
        projects,
        {key for key in connection.scalars(_BUSY) if key is not None},
        {row.project_id: row.last_claim_at or 0 for row in rows},
    )


def _head(row: Row) -> Head:
    return Head(*row[:-1])

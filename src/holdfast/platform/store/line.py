"""Who is next: the heads of the queue, kept between claims; limits and turns, read each time.

A lane is what waits of one workflow in one queue with one priority. Its head is its oldest run.
However long the queue, only heads are read: the index of claims is entered once for each lane, and
after that only where a head was taken. What the heads say is only where to look: a run is taken if
it still waits, and a lane that another process has filled is seen when all heads are read anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count, groupby
from operator import attrgetter, itemgetter
from typing import TypeAlias

from sqlalchemy import (
    BindParameter,
    Select,
    and_,
    bindparam,
    case,
    column,
    func,
    null,
    or_,
    select,
    text,
)

from holdfast.platform.project.schedule import Overlap
from holdfast.platform.store import tables as t
from holdfast.platform.store.columns import unindexed
from holdfast.platform.store.database import Connection
from holdfast.platform.store.lanes import DEFAULT, LANE, Lane

#: Enters `ix_runs_claimable` once for each lane: after the last run of the one before. `coalesce`
#: changes no value, but SQLite compares a row with columns by the first column of an index only.
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
        > (coalesce(known.queue, ''), coalesce(known.priority, 0),
           coalesce(known.project_id, ''), coalesce(known.workflow_id, ''))
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
        *(t.runs.c[name] for name in LANE),
    )
    .join(_HEAD, _HEAD.c.id == t.runs.c.id)
    .outerjoin(t.triggers, t.triggers.c.id == t.runs.c.starting_trigger_id)
)
_WORKFLOW: BindParameter[str] = bindparam("of_workflow")
_PROJECT: BindParameter[str] = bindparam("of_project")
_LIMITS = (
    select(t.workflows.c.concurrency, t.workflows.c.paused_at, t.projects.c.concurrency)
    .join(t.projects, t.projects.c.id == t.workflows.c.project_id)
    .where(t.workflows.c.id == _WORKFLOW)
)
_GOING = select(func.count()).select_from(t.runs).where(t.UNDER_WAY)
_GOING_OF_WORKFLOW = _GOING.where(unindexed(t.runs.c.workflow_id) == _WORKFLOW)
_GOING_OF_PROJECT = _GOING.where(unindexed(t.runs.c.project_id) == _PROJECT)
#: Limits of all, and how many each has under way: for a claim that meets many that are full.
_LIMITED_WORKFLOWS = select(
    t.workflows.c.id, t.workflows.c.concurrency, t.workflows.c.paused_at
).where(or_(t.workflows.c.concurrency.is_not(None), t.workflows.c.paused_at.is_not(None)))
_LIMITED_PROJECTS = select(t.projects.c.id, t.projects.c.concurrency, null()).where(
    t.projects.c.concurrency.is_not(None)
)
ALL_GOING = (
    select(t.runs.c.workflow_id, t.runs.c.project_id, func.count())
    .where(t.UNDER_WAY)
    .group_by(t.runs.c.workflow_id, t.runs.c.project_id)
)
_TURNS = select(t.projects.c.id, t.projects.c.last_claim_at).where(
    t.projects.c.id.in_(bindparam("ids", expanding=True))
)
#: Cron triggers whose runs go one after the other, and that have one under way.
BUSY = (
    select(t.runs.c.starting_trigger_id)
    .join(t.triggers, t.triggers.c.id == t.runs.c.starting_trigger_id)
    .where(t.UNDER_WAY, t.triggers.c.cron_overlap == Overlap.QUEUE.value)
)
#: Workflows whose limits a claim reads one by one; then it reads those of all.
_ONE_BY_ONE = 16
#: Values that one query names.
_NAMED = 500


#: What waits in a lane.
_WAITS = (
    select(t.runs.c.id, t.runs.c.inserted_at, t.runs.c.work_order_id, _ONE_AT_A_TIME)
    .outerjoin(t.triggers, t.triggers.c.id == t.runs.c.starting_trigger_id)
    .where(t.WAITING, *(t.runs.c[name] == bindparam(f"the_{name}") for name in LANE))
    .order_by(t.runs.c.inserted_at, t.runs.c.id)
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Head:
    """The oldest run of a lane."""

    id: str
    inserted_at: int
    work_order_id: str
    #: A cron trigger whose runs go one after the other.
    one_at_a_time: str | None
    queue: str
    priority: int
    project_id: str
    workflow_id: str

    @property
    def lane(self) -> Lane:
        return self.queue, self.priority, self.project_id, self.workflow_id


def oldest(connection: Connection, lane: Lane) -> Head | None:
    """The head of a lane now."""
    values = {f"the_{name}": value for name, value in zip(LANE, lane, strict=True)}
    row = connection.execute(_WAITS, values).one_or_none()
    return None if row is None else Head(*row, *lane)


@dataclass(slots=True)
class Room:
    """What may be started, brought up to date by what is."""

    #: Runs that may be started still, of workflows and projects that have a limit.
    left: dict[str, int] = field(default_factory=dict)
    #: Cron triggers whose runs go one after the other, and that have one under way.
    busy: set[str] = field(default_factory=set)
    #: When a project got its last run, microseconds.
    turns: dict[str, int] = field(default_factory=dict)

    def has(self, head: Head) -> bool:
        """Whether the run may start."""
        left = self.left
        return (
            left.get(head.workflow_id, 1) > 0
            and left.get(head.project_id, 1) > 0
            and head.one_at_a_time not in self.busy
        )

    def took(self, head: Head, at: int) -> None:
        """The run is under way, and its project has had its turn."""
        for key in (head.workflow_id, head.project_id):
            if key in self.left:
                self.left[key] -= 1
        if head.one_at_a_time is not None:
            self.busy.add(head.one_at_a_time)
        self.turns[head.project_id] = at

    def line_up(self, projects: Collection[str]) -> None:
        """Whose turn it is among these projects is about to be asked."""


@dataclass(slots=True)
class RoomNow(Room):
    """Limits, pauses and turns as they are in the database, each read when it is asked for.

    Who takes runs must be the only one who does, or limits are exceeded.
    """

    connection: Connection = field(kw_only=True)
    #: Workflows whose limits are known; `_all`: those of all.
    _workflows: set[str] = field(default_factory=set)
    _all: bool = False
    _projects: set[str] = field(default_factory=set)
    _triggers: bool = False

    def has(self, head: Head) -> bool:
        if not self._all and head.workflow_id not in self._workflows:
            self._learn(head)
        if head.one_at_a_time is not None and not self._triggers:
            self.busy |= set(self.connection.scalars(BUSY))
            self._triggers = True
        return Room.has(self, head)

    def line_up(self, projects: Collection[str]) -> None:
        if len(projects) < 2:
            return
        missing = sorted(set(projects) - self.turns.keys())
        for start in range(0, len(missing), _NAMED):
            some = {"ids": missing[start : start + _NAMED]}
            for key, last_claim_at in self.connection.execute(_TURNS, some):
                self.turns[key] = last_claim_at or 0

    def _learn(self, head: Head) -> None:
        if len(self._workflows) >= _ONE_BY_ONE:
            self._learn_all()
            return
        self._workflows.add(head.workflow_id)
        named = {"of_workflow": head.workflow_id}
        row = self.connection.execute(_LIMITS, named).one_or_none()
        if row is None:
            return  # it was removed: nothing limits what is left of it
        limit, paused_at, together = row
        if paused_at is not None:
            self.left[head.workflow_id] = 0
        elif limit is not None:
            self.left[head.workflow_id] = limit - self._going(_GOING_OF_WORKFLOW, **named)
        if together is not None and head.project_id not in self._projects:
            going = self._going(_GOING_OF_PROJECT, of_project=head.project_id)
            self.left[head.project_id] = together - going
        self._projects.add(head.project_id)

    def _going(self, query: Select[int], **named: str) -> int:
        return self.connection.scalar(query, named) or 0

    def _learn_all(self) -> None:
        going = Counter[str]()
        for workflow, project, number in self.connection.execute(ALL_GOING):
            going[workflow] += number
            going[project] += number
        for query in (_LIMITED_WORKFLOWS, _LIMITED_PROJECTS):
            for key, limit, paused_at in self.connection.execute(query):
                self.left[key] = 0 if paused_at is not None else limit - going[key]
        self._all = True


#: Age, then the order of coming: heads themselves are not compared.
_Item: TypeAlias = tuple[int, str, int, "Head"]


@dataclass(slots=True)
class Line:
    """The heads that are known. It belongs to the writer's thread."""

    heads: dict[Lane, Head] = field(default_factory=dict)
    #: Lanes whose head is not known; it is read when somebody asks.
    unknown: set[Lane] = field(default_factory=set)
    #: When all of them were read, by a clock that only goes forward, seconds.
    read_at: float = float("-inf")
    #: Heads by queue, priority and project, as heaps by age. Old ones are left in until they are
    #: met: a head counts if it still is the one of its lane.
    _heaps: dict[tuple[str, int, str], list[_Item]] = field(default_factory=dict)
    _number: Iterator[int] = field(default_factory=count)

    def read(self, connection: Connection, at: float) -> None:
        """Read all heads anew."""
        self.heads.clear()
        self._heaps.clear()
        self.unknown.clear()
        for row in connection.execute(_HEADS):
            self.put(Head(*row[:8]))
        self.read_at = at

    def put(self, head: Head) -> None:
        """This is the head of its lane."""
        self.heads[head.lane] = head
        heap = self._heaps.setdefault(head.lane[:3], [])
        heappush(heap, (head.inserted_at, head.id, next(self._number), head))

    def forget(self) -> None:
        """What waits may wait otherwise now: read all heads anew."""
        self.read_at = float("-inf")

    def came(self, lane: Lane, *, again: bool = False) -> None:
        """A run waits in the lane, since now or `again`: then it may be older than its head."""
        if again or lane not in self.heads:
            self.unknown.add(lane)

    def gone(self, head: Head) -> None:
        """The run does not wait any more."""
        self.unknown.add(head.lane)

    def best(
        self,
        room: Room,
        rank: Callable[[str], int | None],
        look: Callable[[Lane], Head | None],
    ) -> Head | None:
        """The run that is next; None: nobody may have any of those that are known.

        `rank` is the place of a queue among those that are asked for. `look` finds the head of a
        lane.
        """
        for lane in self.unknown:
            if (found := look(lane)) is None:
                self.heads.pop(lane, None)
            elif found != self.heads.get(lane):
                self.put(found)
        self.unknown.clear()
        asked = [
            (place, kind, heap)
            for kind, heap in self._heaps.items()
            if heap and (place := rank(kind[0])) is not None
        ]
        room.line_up({kind[2] for _, kind, _ in asked})
        ranked = [
            ((place, kind[1], room.turns.get(kind[2], 0)), heap) for place, kind, heap in asked
        ]
        ranked.sort(key=itemgetter(0))
        for _, alike in groupby(ranked, key=itemgetter(0)):
            first = [head for _, heap in alike if (head := self._first(heap, room)) is not None]
            if first:
                return min(first, key=attrgetter("inserted_at", "id"))
        return None

    def _first(self, heap: list[_Item], room: Room) -> Head | None:
        """The oldest of a heap that may start. Those before it stay in the heap."""
        found, barred = None, list[_Item]()
        while heap and found is None:
            head = heap[0][-1]
            if self.heads.get(head.lane) is not head:
                heappop(heap)
            elif room.has(head):
                found = head
            else:
                barred.append(heappop(heap))
        for item in barred:
            heappush(heap, item)
        return found

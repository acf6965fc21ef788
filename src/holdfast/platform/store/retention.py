"""What is older than its project keeps it: found by indexes, removed in small steps.

`find` reads a few ids; `remove` takes them in one short transaction. Nothing of a run that is
under way is touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, Select, delete, func, literal, or_, select, update

from holdfast.model.outcome import RunState
from holdfast.platform.clock import SECOND
from holdfast.platform.store import alerts, dataclips, search
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row, Transaction

_DAY = 24 * 3600 * SECOND
#: After a run's end its caller may still wait for the answer, or a worker send again; seconds.
_ERASE_AFTER = 120
#: Rows of history that one transaction removes: of each kind, and lines of logs.
STEP, LINES = 20, 2000
#: A dry run counts so far.
MOST_COUNTED = 100_000
_ENDED = [state.value for state in RunState if state.final]


class What(StrEnum):
    """What a rule removes."""

    #: Contents of documents; that they existed stays known.
    DOCUMENTS = "documents"
    LOGS = "logs"
    #: Work orders with their runs, steps, logs and documents.
    RUNS = "runs"
    #: Whatever a project that erases everything still has of runs that ended.
    ERASED = "erased"


#: What a project sets a number of days for, and the largest number.
PERIODS = (What.DOCUMENTS, What.LOGS, What.RUNS)
LONGEST_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class Rule:
    """Of this project, what is older than `before` (microseconds) goes."""

    project_id: str
    what: What
    before: int


def rules(connection: Connection, at: int, project_id: str | None = None) -> list[Rule]:
    """The rules of all projects, or of one."""
    query = select(t.projects)
    if project_id is not None:
        query = query.where(t.projects.c.id == project_id)
    return [rule for row in connection.execute(query) for rule in _rules_of(row, at)]


def _rules_of(project: Row, at: int) -> list[Rule]:
    days = {
        What.DOCUMENTS: project.dataclip_retention_period,
        What.LOGS: project.log_retention_period,
        What.RUNS: project.history_retention_period,
    }
    found = [Rule(project.id, what, at - n * _DAY) for what, n in days.items() if n is not None]
    if project.retention_policy == "erase_all":
        found.append(Rule(project.id, What.ERASED, at - _ERASE_AFTER * SECOND))
    return found


def find(connection: Connection, rule: Rule, most: int = STEP) -> list[str]:
    """Ids of what the rule removes next: dataclips, runs or work orders; oldest first."""
    return list(connection.scalars(_FOUND[rule.what](rule).limit(most)))


def count(connection: Connection, rule: Rule) -> int:
    """How much there is to remove; it counts to `MOST_COUNTED`."""
    some = _FOUND[rule.what](rule).order_by(None).limit(MOST_COUNTED).subquery()
    return connection.scalar(select(func.count()).select_from(some)) or 0


def _documents(rule: Rule) -> Select[tuple[str]]:
    """Contents that no run which may still go on begins with. Named ones are people's."""
    d = t.dataclips.c
    return (
        select(d.id)
        .where(d.project_id == rule.project_id, d.inserted_at < rule.before)
        .where(d.wiped_at.is_(None), d.name.is_(None), ~_in_use(d.id))
        .order_by(d.inserted_at)
    )


def _in_use(clip: ColumnElement[str]) -> ColumnElement[bool]:
    r = t.runs.c
    return select(literal(1)).where(r.dataclip_id == clip, r.state.not_in(_ENDED)).exists()


def _logs(rule: Rule) -> Select[tuple[str]]:
    r = t.runs.c
    return (
        select(r.id)
        .where(r.project_id == rule.project_id, r.finished_at < rule.before)
        .where(r.logs_removed_at.is_(None))
        .order_by(r.finished_at)
    )


def _orders(rule: Rule) -> Select[tuple[str]]:
    w, r = t.work_orders.c, t.runs.c
    going = select(literal(1)).where(r.work_order_id == w.id, r.state.not_in(_ENDED)).exists()
    return (
        select(w.id)
        .where(w.project_id == rule.project_id, w.last_activity < rule.before, ~going)
        .order_by(w.last_activity)
    )


_FOUND = {
    What.DOCUMENTS: _documents,
    What.ERASED: _documents,
    What.LOGS: _logs,
    What.RUNS: _orders,
}


def remove_lines(tx: Transaction, rule: Rule, ids: list[str], most: int = LINES) -> int:
    """Some lines of the logs that go; how many there were. Ask again until there are none."""
    c, r = t.log_lines.c, t.runs.c
    if rule.what not in {What.LOGS, What.RUNS}:
        return 0
    runs = ids if rule.what is What.LOGS else select(r.id).where(r.work_order_id.in_(ids))
    some = select(c.id).where(c.run_id.in_(runs)).limit(most)
    gone = delete(t.log_lines).where(c.id.in_(some)).returning(c.id)
    return len(list(tx.connection.scalars(gone)))


def remove_words(tx: Transaction, rule: Rule, ids: list[str]) -> int:
    """Some of what can be searched of what goes; how much. Ask again until there is nothing."""
    match rule.what:
        case What.LOGS:
            return search.remove_some(tx, runs=ids, only="log")
        case What.RUNS:
            r = t.runs.c
            runs = tx.connection.scalars(select(r.id).where(r.work_order_id.in_(ids)))
            return search.remove_some(tx, runs=runs)
        case _:
            return search.remove_some(tx, clips=ids)


def remove(tx: Transaction, rule: Rule, ids: list[str]) -> None:
    """What `find` has found, once its lines and words are gone.

    Words that were indexed meanwhile go with it: from now on none can come.
    """
    match rule.what:
        case What.LOGS:
            mine = t.runs.c.id.in_(ids)
            tx.connection.execute(update(t.runs).where(mine).values(logs_removed_at=tx.now))
            search.remove(tx, runs=ids, only="log")
        case What.RUNS:
            _remove_orders(tx, ids)
        case _:
            _wipe(tx, ids, erased=rule.what is What.ERASED)


def _wipe(tx: Transaction, ids: list[str], *, erased: bool) -> None:
    """Forget contents. `erased`: also what could tell them, and what runs answered."""
    d, r = t.dataclips.c, t.runs.c
    dataclips.forget_bodies(tx, ids)
    told = {"digest": "", "size": 0} if erased else {}
    wiped = update(t.dataclips).where(d.id.in_(ids)).values(wiped_at=tx.now, **told)
    tx.connection.execute(wiped)
    search.remove(tx, clips=ids)
    if erased:
        answered = or_(r.dataclip_id.in_(ids), r.final_dataclip_id.in_(ids))
        tx.connection.execute(
            update(t.runs).where(answered, r.state.in_(_ENDED)).values(webhook_response=None)
        )


def _remove_orders(tx: Transaction, ids: list[str]) -> None:
    """Work orders and all that hangs on them; documents that others use stay."""
    r, rs, s = t.runs.c, t.run_steps.c, t.steps.c
    execute, scalars = tx.connection.execute, tx.connection.scalars
    runs = list(scalars(select(r.id).where(r.work_order_id.in_(ids)).with_for_update()))
    steps = list(scalars(select(rs.step_id).where(rs.run_id.in_(runs)).distinct()))
    clips = _clips_of(tx, ids, runs, steps)
    search.remove(tx, runs=runs)
    alerts.forget_runs(tx, runs)
    execute(delete(t.retries).where(t.retries.c.run_id.in_(runs)))
    execute(delete(t.run_secrets).where(t.run_secrets.c.run_id.in_(runs)))
    execute(delete(t.run_steps).where(rs.run_id.in_(runs)))
    execute(delete(t.steps).where(s.id.in_(steps)))
    execute(delete(t.log_lines).where(t.log_lines.c.run_id.in_(runs)))
    execute(delete(t.runs).where(r.id.in_(runs)))
    execute(delete(t.work_orders).where(t.work_orders.c.id.in_(ids)))
    _remove_clips(tx, clips)


def _clips_of(tx: Transaction, orders: list[str], runs: list[str], steps: list[str]) -> set[str]:
    w, r, s = t.work_orders.c, t.runs.c, t.steps.c
    found = set[str | None]()
    for query in (
        select(w.dataclip_id).where(w.id.in_(orders)),
        select(r.dataclip_id).where(r.id.in_(runs)),
        select(r.final_dataclip_id).where(r.id.in_(runs)),
        select(s.output_dataclip_id).where(s.id.in_(steps)),
    ):
        found.update(tx.connection.scalars(query))
    return {clip for clip in found if clip is not None}


def _remove_clips(tx: Transaction, clips: set[str]) -> None:
    """Documents that nothing refers to any more, and that have no name."""
    w, r, s, d = t.work_orders.c, t.runs.c, t.steps.c, t.dataclips.c
    used = or_(
        d.name.is_not(None),
        *(
            select(literal(1)).where(column == d.id).exists()
            for column in (w.dataclip_id, r.dataclip_id, r.final_dataclip_id, s.output_dataclip_id)
        ),
    )
    free = list(tx.connection.scalars(select(d.id).where(d.id.in_(sorted(clips)), ~used)))
    dataclips.forget_bodies(tx, free)
    tx.connection.execute(delete(t.dataclips).where(d.id.in_(free)))


def periods(connection: Connection, project_id: str) -> Row:
    """`documents`, `logs`, `runs` in days, and the `policy`, of a project."""
    p = t.projects.c
    query = select(
        p.dataclip_retention_period.label("documents"),
        p.log_retention_period.label("logs"),
        p.history_retention_period.label("runs"),
        p.retention_policy.label("policy"),
    )
    return connection.execute(query.where(p.id == project_id)).one()


def set_periods(tx: Transaction, project_id: str, days: dict[What, int | None]) -> None:
    """How many days a project keeps documents, logs and runs; None: for ever."""
    columns = {
        What.DOCUMENTS: "dataclip_retention_period",
        What.LOGS: "log_retention_period",
        What.RUNS: "history_retention_period",
    }
    values = {columns[what]: period for what, period in days.items()}
    mine = t.projects.c.id == project_id
    tx.connection.execute(update(t.projects).where(mine).values(**values, updated_at=tx.now))

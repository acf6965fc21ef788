"""What is to be told, and to whom: written with the end of a run, in its transaction.

A workflow fails from its first failure to its next success. The row that says so is made and taken
away once, whoever looks, so that the first failure and the recovery are each told once.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, func, insert, or_, select, update

from holdfast.model.json import JsonObject
from holdfast.model.outcome import RunState
from holdfast.platform.access.keys import Keys
from holdfast.platform.access.problems import AccessError
from holdfast.platform.clock import SECOND, iso
from holdfast.platform.store import alert_tables as a
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row, Transaction, insert_new
from holdfast.platform.store.runs import find_run, is_alone
from holdfast.platform.store.workflows import names_of

_MOST_RULES = 50
#: Characters of an error that are told.
_LONGEST = 500
#: Seconds that a sender has a message for itself; longer than a try may take.
LEASE_SECONDS = 60
#: Waits between tries, seconds: the first, and the longest. After so many tries it is given up.
_FIRST_WAIT, _LONGEST_WAIT, TRIES = 10, 3600, 12
#: Days for which it is remembered what was told or given up; rows that one step removes.
_REMEMBERED_DAYS, _STEP = 30, 1000
_RULE, _MESSAGE, _STATE = a.alert_rules.c, a.alert_messages.c, a.alert_states.c
_DUE = (_MESSAGE.told_at.is_(None), _MESSAGE.given_up_at.is_(None))


class Event(StrEnum):
    """What a rule may ask for. Of those that fit, a receiver is told the first."""

    LOST = "lost"
    #: A workflow that had not failed before.
    FIRST_FAILURE = "first_failure"
    FAILURE = "failure"
    #: A workflow that had failed before succeeds.
    RECOVERY = "recovery"
    #: A run of the project has waited for too long.
    QUEUE_AGE = "queue_age"
    #: Somebody tries whether it arrives.
    TEST = "test"


def ended(tx: Transaction, run_id: str, state: RunState) -> None:
    """A run has ended: write down what is to be told of it.

    Whoever tries one step sees its end: nobody else is told, and it is none of the workflow.
    """
    of_run = select(t.runs.c.project_id).where(t.runs.c.id == run_id).scalar_subquery()
    query = select(a.alert_rules).where(_RULE.project_id == of_run)
    rules = list(tx.connection.execute(query))
    if not rules or state is RunState.CANCELLED:
        return
    run = find_run(tx.connection, run_id)
    assert run is not None  # it has just ended
    if is_alone(run):
        return
    events = _events(tx, f"workflow:{run.workflow_id}", state)
    for rule in rules:
        asked = json.loads(rule.events)
        event = next((event for event in events if event in asked), None)
        if event is not None:
            _add(tx, rule, event, run_id, _facts(tx, run))


def _events(tx: Transaction, name: str, state: RunState) -> list[Event]:
    if state is RunState.SUCCESS:
        return [Event.RECOVERY] if _set_right(tx, name) else []
    first = [Event.FIRST_FAILURE] if _set_wrong(tx, name) else []
    return [Event.LOST, *first] if state is RunState.LOST else [*first, Event.FAILURE]


def _set_wrong(tx: Transaction, name: str) -> bool:
    """Whether it was right before."""
    new = insert_new(tx.connection.dialect.name, a.alert_states)
    row = new.values(name=name, since=tx.now).returning(_STATE.name)
    return tx.connection.scalar(row) is not None


def _set_right(tx: Transaction, name: str) -> bool:
    """Whether it was wrong before."""
    gone = delete(a.alert_states).where(_STATE.name == name)
    return tx.connection.execute(gone).rowcount == 1


def _facts(tx: Transaction, run: Row) -> JsonObject:
    names = names_of(tx.connection, run.workflow_id)
    return {
        "project": names.project_name,
        "workflow": names.name,
        "run": run.id,
        "state": run.state,
        "error_type": run.error_type,
        "error_message": (run.error_message or "")[:_LONGEST] or None,
        "at": iso(tx.now),
    }


def _add(tx: Transaction, rule: Row, event: Event, subject: str, facts: JsonObject) -> None:
    """Once for each rule, event and subject. A digest waits for what else comes."""
    due = tx.now
    if rule.digest_minutes and event is not Event.TEST:
        mine = _MESSAGE.rule_id == rule.id, _MESSAGE.tries == 0  # none that is being told
        waiting = select(func.min(_MESSAGE.due_at)).where(*mine, *_DUE)
        due = tx.connection.scalar(waiting) or tx.now + rule.digest_minutes * 60 * SECOND
    values = {"id": str(uuid.uuid4()), "rule_id": rule.id, "subject": subject, "event": event}
    new = insert_new(tx.connection.dialect.name, a.alert_messages)
    body = json.dumps({"event": event, **facts})
    tx.connection.execute(new.values(**values, body=body, inserted_at=tx.now, due_at=due))


def look_at_queues(tx: Transaction) -> None:
    """Tell of projects whose oldest run waits for longer than their rules say; once each time."""
    r = t.runs.c
    query = select(a.alert_rules, t.projects.c.name).join(t.projects)
    for rule in tx.connection.execute(query):
        if Event.QUEUE_AGE not in json.loads(rule.events):
            continue
        mine = select(func.min(r.inserted_at)).where(t.WAITING, r.project_id == rule.project_id)
        oldest = tx.connection.scalar(mine)
        waited = 0 if oldest is None else (tx.now - oldest) // SECOND
        name = f"queue:{rule.id}"
        if waited <= rule.queue_seconds:
            _set_right(tx, name)
        elif _set_wrong(tx, name):
            facts: JsonObject = {"project": rule.name, "waited_seconds": waited, "at": iso(tx.now)}
            _add(tx, rule, Event.QUEUE_AGE, str(tx.now), facts)


def test(tx: Transaction, rule: Row, project: str) -> None:
    """Something to tell that says nothing."""
    _add(tx, rule, Event.TEST, str(tx.now), {"project": project, "at": iso(tx.now)})


def take_due(
    tx: Transaction, but: frozenset[str] = frozenset(), most: int = 200
) -> dict[Row, list[Row]]:
    """Messages that are due, by rule, for this process alone for a while. A try begins with it.

    `but`: of these rules none.
    """
    query = select(a.alert_messages).where(
        _MESSAGE.due_at <= tx.now, *_DUE, _MESSAGE.rule_id.not_in(but)
    )
    rows = list(
        tx.connection.execute(
            query.order_by(_MESSAGE.due_at, _MESSAGE.inserted_at)
            .limit(most)
            .with_for_update(skip_locked=True)
        )
    )
    keys = [row.id for row in rows]
    lease = update(a.alert_messages).where(_MESSAGE.id.in_(keys))
    ends_at = tx.now + LEASE_SECONDS * SECOND
    tx.connection.execute(lease.values(due_at=ends_at, tries=_MESSAGE.tries + 1))
    found = select(a.alert_rules).where(_RULE.id.in_({row.rule_id for row in rows}))
    return {
        rule: [row for row in rows if row.rule_id == rule.id]
        for rule in tx.connection.execute(found)
    }


def told(tx: Transaction, ids: Iterable[str]) -> None:
    """They have arrived. Nobody needs their words any more."""
    mine = update(a.alert_messages).where(_MESSAGE.id.in_(list(ids)))
    tx.connection.execute(mine.values(told_at=tx.now, problem=None, body="{}"))


def give_back(tx: Transaction, rows: Iterable[Row], *, rest: bool) -> None:
    """These were taken and not tried. `rest`: their receiver has just failed, and may rest."""
    later = tx.now + (_FIRST_WAIT * SECOND if rest else 0)
    for row in rows:
        mine = update(a.alert_messages).where(_MESSAGE.id == row.id)
        tx.connection.execute(mine.values(tries=row.tries, due_at=later))


def failed(tx: Transaction, rows: Iterable[Row], problem: str) -> int:
    """They have not arrived: once more later, twice as late each time. How many are given up.

    `rows` as they were when they were taken.
    """
    lost = 0
    for row in rows:
        wait = min(_FIRST_WAIT << row.tries, _LONGEST_WAIT)
        values: dict[str, Any] = {"problem": problem[:255], "due_at": tx.now + wait * SECOND}
        if row.tries + 1 >= TRIES:
            values |= {"given_up_at": tx.now, "body": "{}"}
            lost += 1
        mine = update(a.alert_messages).where(_MESSAGE.id == row.id)
        tx.connection.execute(mine.values(**values))
    return lost


def forget_old(tx: Transaction) -> int:
    """Remove some of what was told or given up long ago; how many. Ask again until none is."""
    old = tx.now - _REMEMBERED_DAYS * 24 * 3600 * SECOND
    done = or_(_MESSAGE.told_at.is_not(None), _MESSAGE.given_up_at.is_not(None))
    some = select(_MESSAGE.id).where(_MESSAGE.inserted_at < old, done).limit(_STEP)
    return tx.connection.execute(delete(a.alert_messages).where(_MESSAGE.id.in_(some))).rowcount


def forget_runs(tx: Transaction, runs: Iterable[str]) -> None:
    """Remove what was or is to be told of runs that are removed."""
    tx.connection.execute(delete(a.alert_messages).where(_MESSAGE.subject.in_(list(runs))))


def add_rule(tx: Transaction, keys: Keys, project_id: str, target: str, **values: Any) -> str:
    """A new rule; its id. Where there was none, the next failure of a workflow is its first.

    Raises AccessError where the project has too many.
    """
    known = rules_of(tx.connection, project_id)
    if len(known) >= _MOST_RULES:
        message = f"a project has {_MOST_RULES} alerts at most"
        raise AccessError(message)
    if not known:
        mine = select("workflow:" + t.workflows.c.id).where(t.workflows.c.project_id == project_id)
        tx.connection.execute(delete(a.alert_states).where(_STATE.name.in_(mine)))
    key = str(uuid.uuid4())
    row = {"id": key, "project_id": project_id, "target": keys.encrypt(target), **values}
    stamps = {"inserted_at": tx.now, "updated_at": tx.now}
    tx.connection.execute(insert(a.alert_rules).values(**row, **stamps))
    return key


def remove_rule(tx: Transaction, project_id: str, rule_id: str) -> bool:
    """With all that it would have told; whether there was one."""
    if find_rule(tx.connection, project_id, rule_id) is None:
        return False
    tx.connection.execute(delete(a.alert_messages).where(_MESSAGE.rule_id == rule_id))
    tx.connection.execute(delete(a.alert_states).where(_STATE.name == f"queue:{rule_id}"))
    tx.connection.execute(delete(a.alert_rules).where(_RULE.id == rule_id))
    return True


def rules_of(connection: Connection, project_id: str) -> list[Row]:
    query = select(a.alert_rules).where(_RULE.project_id == project_id)
    return list(connection.execute(query.order_by(_RULE.inserted_at)))


def find_rule(connection: Connection, project_id: str, rule_id: str) -> Row | None:
    query = select(a.alert_rules).where(_RULE.id == rule_id, _RULE.project_id == project_id)
    return connection.execute(query).one_or_none()


def deliveries_of(connection: Connection, rule_id: str) -> Row:
    """`waiting`, `given_up`, `told`, the last `told_at`, and a `problem` of what waits."""
    query = select(
        func.count().filter(*_DUE).label("waiting"),
        func.count(_MESSAGE.given_up_at).label("given_up"),
        func.count(_MESSAGE.told_at).label("told"),
        func.max(_MESSAGE.told_at).label("told_at"),
        func.max(_MESSAGE.problem).label("problem"),
    )
    return connection.execute(query.where(_MESSAGE.rule_id == rule_id)).one()

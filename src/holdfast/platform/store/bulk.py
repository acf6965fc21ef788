"""Retries and cancellations of many runs: what was asked for, and how far it is.

The place of the last run that was looked at is written with what was done, in one transaction. So
an action goes on after a restart where it was, and does nothing twice.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import insert, literal, select, update

from holdfast.platform.access.policy import Action, Kind, Subject, decide
from holdfast.platform.store import api_tokens, history
from holdfast.platform.store import history_tables as h
from holdfast.platform.store.accounts import account
from holdfast.platform.store.database import Connection, Row, Transaction
from holdfast.platform.store.history import Count, Filters, Page, Place, Range, Wanted
from holdfast.platform.store.history_kinds import RUNS
from holdfast.platform.store.history_query import RUN_STATES, filters_of

#: What may be done, and to runs of which states unless others are named.
ACTIONS = {"retry": "unsuccessful", "cancel": "available,claimed,started"}
#: Runs of one step.
RUNS_OF_A_STEP = 20
#: So often a step that fails is tried, once a second; from the second time on with one run alone.
TRIES = 10
RUNNING, DONE, STOPPED, FAILED = "running", "done", "stopped", "failed"
_SHOWN = 100


def chosen(project_id: str, action: str, query: Mapping[str, str], before: int) -> Filters:
    """The runs of a project that are meant, made at `before` at latest. Raises BadFilter."""
    given = {"state": ACTIONS[action], **query, "project_id": project_id}
    filters = filters_of(given, RUN_STATES, None)
    most = filters.inserted.most
    last = before if most is None else min(most, before)
    return replace(filters, inserted=Range(filters.inserted.least, last))


def add(
    tx: Transaction,
    project_id: str,
    action: str,
    query: Mapping[str, str],
    *,
    number: Count,
    by: Subject,
) -> str:
    """Note what is to be done; its id."""
    key = str(uuid.uuid4())
    user = by.user_id if by.kind is Kind.SESSION else None
    token = by.key_id if by.kind is Kind.TOKEN else None
    values = {
        "id": key, "project_id": project_id, "action": action, "query": json.dumps(dict(query)),
        "created_by": by.name, "user_id": user, "token_id": token,
        "state": RUNNING, "total": number.number, "total_exact": number.exact,
        "inserted_at": tx.now,
    }  # fmt: skip
    tx.connection.execute(insert(h.bulk_actions), values)
    return key


def find(connection: Connection, key: str) -> Row | None:
    query = select(h.bulk_actions).where(h.bulk_actions.c.id == key)
    return connection.execute(query).one_or_none()


def of_project(connection: Connection, project_id: str) -> list[Row]:
    """The newest ones, newest first."""
    c = h.bulk_actions.c
    query = select(h.bulk_actions).where(c.project_id == project_id)
    return list(connection.execute(query.order_by(c.inserted_at.desc()).limit(_SHOWN)))


def running(connection: Connection) -> list[str]:
    """Ids of those that are not done, oldest first."""
    c = h.bulk_actions.c
    query = (
        select(c.id)
        .where(c.state == literal(RUNNING, literal_execute=True))
        .order_by(c.inserted_at)
    )
    return list(connection.scalars(query))


def following(connection: Connection, row: Row) -> Page:
    """The next runs of an action, and after which place it goes on."""
    after = None if row.place_at is None else Place(row.place_at, row.place_key)
    filters = chosen(row.project_id, row.action, json.loads(row.query), row.inserted_at)
    most = 1 if row.tries else RUNS_OF_A_STEP
    return history.page(connection, RUNS, filters, Wanted(most, after=after))


def hold(tx: Transaction, row: Row) -> bool:
    """Whether the action is still where `row` has it; if so, it is held until the commit."""
    c = h.bulk_actions.c
    query = select(c.place_at, c.place_key, c.state).where(c.id == row.id).with_for_update()
    now = tx.connection.execute(query).one()
    return tuple(now) == (row.place_at, row.place_key, RUNNING)


def may_go_on(tx: Transaction, row: Row) -> bool:
    """Whether who asked for it may still do it: the account, or the token and whose it is.

    The platform's administrator may, who came with neither.
    """
    if row.user_id is None and row.token_id is None:
        return True
    if row.token_id is None:
        found = account(tx.connection, row.user_id, Kind.SESSION, "")
    else:
        found = api_tokens.subject_of_key(tx.connection, row.token_id, tx.now)
    return found is not None and decide(found, Action.RUN, row.project_id).allowed


@dataclass(frozen=True, slots=True)
class Step:
    """Runs done and skipped, why the last one was, and where to go on; None: all is done."""

    done: int
    skipped: int
    problem: str | None
    to: Place | None


def move(tx: Transaction, row: Row, step: Step) -> None:
    """Note what was done."""
    c = h.bulk_actions.c
    values: dict[str, Any] = {
        "done": c.done + step.done,
        "skipped": c.skipped + step.skipped,
        "tries": 0,
    }
    if step.problem is not None:
        values["problem"] = step.problem
    if step.to is None:
        values |= {"state": DONE, "finished_at": tx.now}
    else:
        values |= {"place_at": step.to.at, "place_key": step.to.key}
    tx.connection.execute(update(h.bulk_actions).where(c.id == row.id).values(**values))


def failed(tx: Transaction, key: str, problem: str) -> None:
    """A step has failed. After `TRIES` times its run is skipped; if that fails, all has failed."""
    c = h.bulk_actions.c
    mine = update(h.bulk_actions).where(c.id == key, c.state == RUNNING)
    tries = tx.connection.scalar(
        mine.values(tries=c.tries + 1, problem=problem).returning(c.tries)
    )
    if tries is not None and tries > TRIES:
        end(tx, key, FAILED, problem)


def end(tx: Transaction, key: str, state: str, problem: str | None = None) -> bool:
    """Stop an action that is not done; whether it was not."""
    c = h.bulk_actions.c
    values: dict[str, Any] = {"state": state, "finished_at": tx.now}
    if problem is not None:
        values["problem"] = problem
    ended = update(h.bulk_actions).where(c.id == key, c.state == RUNNING).values(**values)
    return tx.connection.execute(ended).rowcount == 1

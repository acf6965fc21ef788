"""Full-text search over logs, inputs and outputs of runs that have ended.

The index is made of parts: some lines of a log, or a document. Each part is a row of
`search_parts`; its words are in `search_words`: FTS5 on SQLite, `tsvector` on PostgreSQL.
It is made behind the load (`chores/indexer.py`): a run is in it some seconds after its end. Marks
tell the project and the kind of a part, so that a search never reads what its asker may not see.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    BigInteger,
    Select,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    union_all,
    update,
)

from holdfast.platform.store import history_tables as h
from holdfast.platform.store import logs
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row, Transaction
from holdfast.platform.store.history import Filters
from holdfast.platform.store.history_kinds import RUNS, begins
from holdfast.platform.store.search_words import Wanted, asked_words, postgres_query, sqlite_query

#: Kinds of parts.
KINDS = ("log", "input", "output")
#: Parts that one search looks at, and that come at a time.
_MOST_PARTS, _FETCHED = 2000, 200
#: Of a run: parts and lines that are named.
_NAMED, _LINES = 20, 3
#: Parts that one transaction removes.
_REMOVED = 50
#: Beginnings of ids that are looked up, rows of each kind, and runs that such rows belong to.
_ID = re.compile(r"[0-9a-f][0-9a-f-]{5,35}", re.ASCII)
_IDS, _RUNS_OF_IDS = 20, 1000
#: Whatever a project's id may be: it becomes a part of a query.
_PROJECT = re.compile(r"[0-9a-z-]{1,36}", re.ASCII | re.IGNORECASE)
#: Pages that one step of erasing writes anew.
_STEP_PAGES = 200


@dataclass(frozen=True, slots=True)
class Part:
    """Words of a run: of lines from `first` to `last`, or of a document."""

    run_id: str
    project_id: str
    kind: str
    words: frozenset[str]
    first: int = 0
    last: int = 0
    clip_id: str | None = None


@dataclass(slots=True)
class Found:
    """A run with the parts that match, and numbers of some lines with one of the words."""

    run: Row
    parts: list[Row] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Results:
    """Runs, those that ended last first. `older`: go on after this part; None: that was all."""

    found: list[Found]
    older: int | None


def marks_of(project_id: str, kind: str) -> list[str]:
    """What tells the project and the kind of a part, among its words."""
    return [f"p{project_id.replace('-', '')}", f"k{kind}"]


def add(tx: Transaction, parts: Iterable[Part]) -> None:
    """Put parts into the index, but for those whose run, log or document is gone meanwhile."""
    sqlite, added = tx.connection.dialect.name == "sqlite", list[dict[str, Any]]()
    for part in _still_there(tx, list(parts)):
        words, marks = sorted(part.words), marks_of(part.project_id, part.kind)
        said = " ".join(words)
        row = {
            "run_id": part.run_id, "project_id": part.project_id, "kind": part.kind,
            "first": part.first, "last": part.last, "clip_id": part.clip_id,
            "words": zlib.compress(said.encode(), 1) if sqlite else None,
        }  # fmt: skip
        key = tx.connection.execute(_ADD_PART, row).scalar_one()
        if sqlite:
            added.append({"id": key, "marks": " ".join(marks), "words": said})
        else:
            told = [*words, *(f"/{mark}" for mark in marks)]
            added.append({"id": key, "words": told})
    if added:
        tx.connection.execute(_ADD_SQLITE if sqlite else _ADD_POSTGRES, added)


def _still_there(tx: Transaction, parts: list[Part]) -> list[Part]:
    """The parts that may be found. Until the commit nobody removes what they were read from."""
    r, d = t.runs.c, t.dataclips.c
    runs = select(r.id, r.logs_removed_at).where(r.id.in_({part.run_id for part in parts}))
    clips = select(d.id).where(d.id.in_({part.clip_id for part in parts}), d.wiped_at.is_(None))
    held = runs.order_by(r.id).with_for_update(read=True)
    has_log = {row.id: row.logs_removed_at is None for row in tx.connection.execute(held)}
    kept = set(tx.connection.scalars(clips.order_by(d.id).with_for_update(read=True)))
    return [
        part
        for part in parts
        if part.run_id in has_log
        and (has_log[part.run_id] if part.clip_id is None else part.clip_id in kept)
    ]


#: Built once, as in `runs.py`.
_ADD_PART = insert(h.search_parts).returning(h.search_parts.c.id)
_ADD_SQLITE = text("INSERT INTO search_words (rowid, marks, words) VALUES (:id, :marks, :words)")
_ADD_POSTGRES = text(
    "INSERT INTO search_words (part_id, words)"
    " VALUES (:id, array_to_tsvector(CAST(:words AS text[])))"
)
#: An index that keeps no texts must be told what it is to forget.
_FORGET_SQLITE = text(
    "INSERT INTO search_words (search_words, rowid, marks, words)"
    " VALUES ('delete', :id, :marks, :words)"
)


def remove_some(
    tx: Transaction,
    *,
    runs: Iterable[str] = (),
    clips: Iterable[str] = (),
    only: str | None = None,
) -> int:
    """Some parts of these runs and documents; how many. Ask until none are left.

    `only`: of one kind.
    """
    c = h.search_parts.c
    mine = or_(c.run_id.in_(list(runs)), c.clip_id.in_(list(clips)))
    query = select(h.search_parts).where(mine).limit(_REMOVED)
    rows = list(tx.connection.execute(query if only is None else query.where(c.kind == only)))
    if not rows:
        return 0
    if tx.connection.dialect.name == "sqlite":
        said = [
            {"id": row.id, "marks": " ".join(marks_of(row.project_id, row.kind)),
             "words": zlib.decompress(row.words).decode()}
            for row in rows
        ]  # fmt: skip
        tx.connection.execute(_FORGET_SQLITE, said)
        tx.connection.execute(_TO_ERASE)
    ids = [row.id for row in rows]  # on PostgreSQL the words go with their part
    tx.connection.execute(delete(h.search_parts).where(c.id.in_(ids)))
    return len(rows)


def remove(
    tx: Transaction,
    *,
    runs: Iterable[str] = (),
    clips: Iterable[str] = (),
    only: str | None = None,
) -> None:
    """All parts of these runs and documents, in this transaction."""
    runs, clips = list(runs), list(clips)
    while remove_some(tx, runs=runs, clips=clips, only=only):
        pass


#: A number that SQLite keeps for its users, changed and rolled back as all else: 1 while pages of
#: the index may have words that were removed.
_TO_ERASE, _ERASED = text("PRAGMA user_version = 1"), text("PRAGMA user_version = 0")
_IS_TO_ERASE = text("PRAGMA user_version")


def erase_some(tx: Transaction) -> bool:
    """One step of writing SQLite's index anew without what was removed; False: it is done.

    What an index of FTS5 has forgotten is in its pages until they are merged.
    """
    if tx.connection.dialect.name != "sqlite" or not tx.connection.scalar(_IS_TO_ERASE):
        return False
    for pages in (-_STEP_PAGES, _STEP_PAGES):
        before = tx.connection.scalar(text("SELECT total_changes()")) or 0
        step = text("INSERT INTO search_words (search_words, rank) VALUES ('merge', :pages)")
        tx.connection.execute(step, {"pages": pages})
        if (tx.connection.scalar(text("SELECT total_changes()")) or 0) - before >= 2:
            return True
    tx.connection.execute(_ERASED)
    return False


def has_parts(connection: Connection, run_id: str) -> bool:
    """Whether anything of a run is in the index."""
    query = select(h.search_parts.c.id).where(h.search_parts.c.run_id == run_id).limit(1)
    return connection.scalar(query) is not None


def not_indexed(connection: Connection, before: int, most: int) -> list[Row]:
    """Runs that ended before then (microseconds) and are not in the index yet, oldest first."""
    r = t.runs.c
    columns = (r.id, r.project_id, r.dataclip_id, r.final_dataclip_id, r.last_event_at)
    query = select(*columns).where(r.indexed_at.is_(None), r.finished_at < before)
    return list(connection.execute(query.order_by(r.finished_at).limit(most)))


def mark_indexed(tx: Transaction, run: Row, memory: int | None) -> bool:
    """The whole of a run is in the index; False: since `not_indexed` read it, more has come.

    `memory`: the most that a job had (bytes), for a run that ended before this was kept.
    """
    said = {"of_run": run.id, "at": tx.now, "memory": memory, "event_at": run.last_event_at}
    return tx.connection.execute(_MARK, said).rowcount == 1


_MARK = (
    update(t.runs)
    .where(t.runs.c.id == bindparam("of_run"))
    .where(t.runs.c.last_event_at.is_not_distinct_from(bindparam("event_at", type_=BigInteger)))
    .values(
        indexed_at=bindparam("at"),
        peak_memory=func.coalesce(t.runs.c.peak_memory, bindparam("memory", type_=BigInteger)),
    )
)


def find(
    connection: Connection,
    query: str,
    filters: Filters,
    *,
    kinds: tuple[str, ...] = (),
    before: int | None = None,
    limit: int = 20,
) -> Results:
    """Runs with all words of the query in one part, and runs to which an id of it belongs.

    It looks at so many parts at most: `older` tells where to go on, also where few are found.
    """
    wanted = asked_words(query)
    found: dict[str, Found] = {}
    if before is None and not kinds:
        by_id = _runs_by_id(connection, query.strip().lower())
        passing = _passing(connection, by_id, filters)[:limit]
        found |= {row.id: Found(row) for row in passing}
    older, looked = before, 0
    scopes = _scopes(filters, kinds)
    while wanted and scopes is not None and len(found) < limit and looked < _MOST_PARTS:
        parts = _parts(connection, wanted, scopes, older)
        looked += len(parts)
        runs = {row.id: row for row in _passing(connection, {p.run_id for p in parts}, filters)}
        for part in parts:
            if len(found) == limit and part.run_id not in found:
                break
            older = part.id
            if (run := runs.get(part.run_id)) is not None:
                found.setdefault(run.id, Found(run)).parts.append(part)
        else:
            if len(parts) < _FETCHED:
                older = None
                break
    if not wanted or scopes is None:
        older = None
    for one in found.values():
        one.lines = _lines(connection, one, wanted)
        del one.parts[_NAMED:]
    return Results(list(found.values()), older)


def orders_before(
    connection: Connection, query: str, filters: Filters, orders: list[str], before: int
) -> set[str]:
    """Those of the work orders that a search has come to before it went on from `before`."""
    wanted, scopes = asked_words(query), _scopes(filters, ())
    if not wanted or scopes is None or not orders:
        return set()
    sqlite = connection.dialect.name == "sqlite"
    said = (sqlite_query if sqlite else postgres_query)(wanted, scopes)
    values = {"asked": said, "before": before, "orders": orders}
    found = connection.scalars(_BEFORE_SQLITE if sqlite else _BEFORE_POSTGRES, values)
    return {row.work_order_id for row in _passing(connection, set(found), filters)}


def _scopes(filters: Filters, kinds: tuple[str, ...]) -> list[list[str]] | None:
    """Marks of which a part must have one of each list; None: nothing may be seen."""
    projects = None if filters.visible is None else sorted(filters.visible)
    if filters.project_id is not None:
        hidden = projects is not None and filters.project_id not in projects
        projects = [] if hidden else [filters.project_id]
    projects = projects and [key for key in projects if _PROJECT.fullmatch(key)]
    if projects == []:
        return None
    scopes = [] if projects is None else [[marks_of(key, "")[0] for key in projects]]
    return [*scopes, [f"k{kind}" for kind in kinds]] if kinds else scopes


def _parts(
    connection: Connection, wanted: list[Wanted], scopes: list[list[str]], before: int | None
) -> list[Row]:
    """The newest parts before this one that match, `_FETCHED` at most."""
    values: dict[str, Any] = {"before": 2**62 if before is None else before, "most": _FETCHED}
    if connection.dialect.name == "sqlite":
        values["asked"] = sqlite_query(wanted, scopes)
        return list(connection.execute(_FIND_SQLITE, values))
    values["asked"] = postgres_query(wanted, scopes)
    return _parts_postgres(connection, values)


def _parts_postgres(connection: Connection, values: dict[str, Any]) -> list[Row]:
    """Frequent words are found by reading backwards, rare ones by the index of words.

    The planner knows no rare word, and a plan that is made once for all words fits none.
    """
    found: list[Row] = []
    newest = connection.scalar(_NEWEST_POSTGRES) or 0
    before, size = min(values["before"], newest + 1), _WINDOW
    while before > 0 and (most := _FETCHED - len(found)) > 0:
        least = before - size
        asked = {**values, "before": before, "least": least, "most": most}
        some = list(connection.execute(_IN_ORDER_POSTGRES, asked))
        found += some
        if len(some) < most and len(some) * _RARE < size:
            asked |= {"before": least, "most": most - len(some)}
            return [*found, *connection.execute(_BY_WORDS_POSTGRES, asked)]
        before, size = least, 4 * size
    return found


_FIND_SQLITE = text(
    "SELECT p.id, p.run_id, p.kind, p.first, p.last, p.clip_id"
    " FROM search_words w JOIN search_parts p ON p.id = w.rowid"
    " WHERE w.search_words MATCH :asked AND w.rowid < :before ORDER BY w.rowid DESC LIMIT :most"
)
#: Numbers of the parts that are read backwards first, and of how many one has a rare word.
_WINDOW, _RARE = 4096, 300
_NEWEST_POSTGRES = text("SELECT max(part_id) FROM search_words")
#: OFFSET 0 keeps the index of words out, and `+ 0` the order of the numbers.
_IN_ORDER_POSTGRES = text(
    "SELECT p.id, p.run_id, p.kind, p.first, p.last, p.clip_id FROM (SELECT part_id FROM"
    " (SELECT part_id, words FROM search_words WHERE part_id < :before AND part_id >= :least"
    " ORDER BY part_id DESC OFFSET 0) w WHERE words @@ CAST(:asked AS tsquery)"
    " ORDER BY part_id DESC LIMIT :most) f JOIN search_parts p ON p.id = f.part_id"
    " ORDER BY p.id DESC"
)
_BY_WORDS_POSTGRES = text(
    "SELECT p.id, p.run_id, p.kind, p.first, p.last, p.clip_id FROM (SELECT part_id"
    " FROM search_words WHERE words @@ CAST(:asked AS tsquery) AND part_id < :before"
    " ORDER BY part_id + 0 DESC LIMIT :most) f JOIN search_parts p ON p.id = f.part_id"
    " ORDER BY p.id DESC"
)
#: From the runs of a few work orders on, so that few parts are looked at.
_BEFORE_SQLITE = text(
    "SELECT DISTINCT p.run_id FROM runs r CROSS JOIN search_parts p CROSS JOIN search_words w"
    " WHERE r.work_order_id IN :orders AND p.run_id = r.id AND p.id >= :before"
    " AND w.rowid = p.id AND w.search_words MATCH :asked"
).bindparams(bindparam("orders", expanding=True))
_BEFORE_POSTGRES = text(
    "SELECT DISTINCT p.run_id FROM runs r JOIN search_parts p ON p.run_id = r.id"
    " JOIN search_words w ON w.part_id = p.id WHERE r.work_order_id IN :orders"
    " AND p.id >= :before AND w.words @@ CAST(:asked AS tsquery)"
).bindparams(bindparam("orders", expanding=True))


def _passing(connection: Connection, ids: Iterable[str], filters: Filters) -> list[Row]:
    """The runs of these ids that pass the filters, newest first.

    The limit keeps the filters from choosing the index: that would read all runs of a project.
    """
    chosen = sorted(ids)
    if not chosen:
        return []
    found = select(*t.LISTED_RUN).where(t.runs.c.id.in_(chosen)).limit(len(chosen)).subquery()
    c = found.c
    query = select(found).where(filters.inserted.holds(c.inserted_at))
    query = query.where(*RUNS.conditions(c, filters))
    return list(connection.execute(query.order_by(c.inserted_at.desc(), c.id.desc())))


def _runs_by_id(connection: Connection, beginning: str) -> set[str]:
    """Runs that have this id, or whose work order, step or document has it, or begins with it."""
    if not _ID.fullmatch(beginning):
        return set()
    r, s, rs, w, d = t.runs.c, t.steps.c, t.run_steps.c, t.work_orders.c, t.dataclips.c

    def some(column: Any) -> Select[Any]:
        return select(column).where(begins(column, beginning)).limit(_IDS)

    orders, steps, clips = (list(connection.scalars(some(c))) for c in (w.id, s.id, d.id))
    queries = [select(some(r.id).subquery().c.id)]
    if orders:  # SQLite looks for none of no ids in all rows
        queries.append(select(r.id).where(r.work_order_id.in_(orders)))
    if steps:
        queries.append(select(rs.run_id).where(rs.step_id.in_(steps)))
    if clips:
        of_step = select(rs.run_id).join(t.steps, s.id == rs.step_id)
        queries += [
            select(r.id).where(r.dataclip_id.in_(clips)),
            select(r.id).where(r.final_dataclip_id.in_(clips)),
            of_step.where(s.output_dataclip_id.in_(clips)),
        ]
    each = [select(query.limit(_RUNS_OF_IDS).subquery()) for query in queries]
    return set(connection.scalars(union_all(*each)))


def _lines(connection: Connection, found: Found, wanted: list[Wanted]) -> list[int]:
    """Numbers of the first lines in the parts that have the longest word."""
    numbers = list[int]()
    word = max((word.text for word in wanted), key=len, default="")
    for part in [part for part in found.parts if part.kind == "log"][:_LINES]:
        most = _LINES - len(numbers)
        if most:
            between = part.first, part.last
            numbers += logs.lines_with(connection, part.run_id, word, between, most)[0]
    return sorted(numbers)

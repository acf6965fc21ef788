"""What is looked at in a long history, and how long each look takes."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from sqlalchemy import func, select

from holdfast.platform.causes.problem import DAYS, MOST, grouped
from holdfast.platform.chores.indexer import index
from holdfast.platform.clock import SECOND
from holdfast.platform.service import Platform
from holdfast.platform.settings import Settings
from holdfast.platform.store import collections, history, logs, search
from holdfast.platform.store import tables as t
from holdfast.platform.store.collections import Selection
from holdfast.platform.store.database import Connection, Database
from holdfast.platform.store.diagnoses import failures
from holdfast.platform.store.history import Filters, Range, Wanted
from holdfast.platform.store.history_kinds import RUNS, WORK_ORDERS
from support.history_rows import START

TIMES = 7
_DAY = 24 * 3600 * SECOND

Look = tuple[str, Callable[[], Any]]


def make_searchable(settings: Settings) -> None:
    """Have the platform's own indexer index what is not indexed yet."""
    platform = Platform(settings)
    platform.database.open()
    started = time.perf_counter()
    try:
        done = asyncio.run(index(platform))
    finally:
        platform.database.close()
    took = time.perf_counter() - started
    print(f"indexed {done} runs in {took:.1f} s: {done / max(took, 0.001):.0f}/s", flush=True)


def look(url: str, parts: Sequence[str]) -> None:
    """Print the time of each look: the first, which may find nothing in memory, and the median."""
    database = Database(url, lambda _: None)
    database.open()
    try:
        asyncio.run(database.read(lambda connection: _all(connection, parts)))
    finally:
        database.close()


def _all(connection: Connection, parts: Sequence[str]) -> None:
    runs = connection.scalar(select(func.count()).select_from(t.runs))
    print(f"{runs} runs; milliseconds: first, median, most of {TIMES}; processor time, median")
    for part in parts:
        for name, work in PARTS[part](connection):
            print(f"{name:<52} {timed(work)}", flush=True)


def timed(work: Callable[[], Any]) -> str:
    """Of the processor time, what this process needs: all of it with SQLite."""
    taken, used = [], []
    for _ in range(TIMES):
        started, before = time.perf_counter(), time.thread_time()
        work()
        used.append((time.thread_time() - before) * 1000)
        taken.append((time.perf_counter() - started) * 1000)
    median = statistics.median
    return f"{taken[0]:8.1f} {median(taken):8.1f} {max(taken):8.1f}; {median(used):8.1f}"


def _lists(connection: Connection) -> Iterator[Look]:
    """The first, a middle and the last page of each filter, with its count."""
    r = t.runs.c
    newest = select(t.runs).order_by(r.inserted_at.desc())
    row = connection.execute(newest.offset(3).limit(1)).one()
    longest = connection.scalar(select(func.max(r.duration_ms))) or 0
    filters = {
        "none": Filters(),
        "project": Filters(project_id=row.project_id),
        "four projects": Filters(visible=frozenset(connection.scalars(select(t.projects.c.id)))),
        "workflow": Filters(workflow_id=row.workflow_id),
        "state success": Filters(states=("success",)),
        "state lost": Filters(states=("lost",)),
        "unsuccessful": Filters(states=history.UNSUCCESSFUL),
        "error type": Filters(error_type="OOMError"),
        "worker": Filters(worker="worker-c"),
        "nobody's": Filters(worker="nobody"),
        "two days": Filters(inserted=Range(START + 40 * _DAY, START + 42 * _DAY)),
        "10 s and more": Filters(duration_ms=Range(10_000, None)),
        "the longest": Filters(duration_ms=Range(longest // 2, None)),
        "100 MB and more": Filters(memory=Range(100_000_000, None)),
        "workflow, failed, 10 s": Filters(
            workflow_id=row.workflow_id, states=("failed",), duration_ms=Range(10_000, None)
        ),
        "begins with": Filters(id_begins=row.id[:6]),
    }  # fmt: skip
    for name, chosen in filters.items():
        for what, kind in (("runs", RUNS), ("work orders", WORK_ORDERS)):
            for where, wanted in (("first", Wanted(25)), ("last", Wanted(25, last=True))):
                work = partial(history.page, connection, kind, chosen, wanted)
                yield f"{what}, {name}: {where} page", work
            yield f"{what}, {name}: count", partial(history.count, connection, kind, chosen)


def _searches(connection: Connection) -> Iterator[Look]:
    everything, project = Filters(), str(connection.scalar(select(t.runs.c.project_id)))
    (some,) = connection.execute(
        select(t.log_lines.c.message, t.log_lines.c.run_id).order_by(t.log_lines.c.id).limit(1)
    )
    number = next(word for word in some.message.split() if word.startswith("P-"))
    find = partial(search.find, connection, limit=25)
    queries = {
        "a word of every run": "patient",
        "two frequent words": "merged garissa",
        "a rare word": number,
        "no word of any run": "xylophone patient",
        "a beginning": "refer*",
        "an id": some.run_id[:8],
    }
    for name, text in queries.items():
        for where, chosen in (("", everything), (", one project", Filters(project_id=project))):
            yield f"search, {name}{where}", partial(find, text, chosen)
    state = Filters(states=("lost",))
    yield "search, a word of every run, state lost", partial(find, "patient", state)


def _logs(connection: Connection) -> Iterator[Look]:
    """Of the longest log: its middle, its end, and a text that is in none of its lines."""
    c = t.log_lines.c
    newest = select(c.run_id).order_by(c.id.desc()).limit(1)
    run = str(connection.scalar(newest))
    last = logs.count(connection, run)
    wanted = logs.Wanted(100, 10_000, 1_000_000)
    yield (
        f"log of {last} lines: 100 in its middle",
        lambda: logs.lines(connection, run, last // 2, wanted),
    )
    yield "the same log: its end", lambda: logs.lines(connection, run, last - 100, wanted)
    yield (
        "the same log: search of 20,000 lines",
        lambda: logs.search(connection, run, "nowhere", after=last // 2),
    )


def _collections(connection: Connection) -> Iterator[Look]:
    key = str(connection.scalar(select(t.collections.c.id)))
    middle = connection.scalar(select(func.max(t.collection_items.c.id))) or 0
    for name, after in (("first", 0), ("middle", middle // 2)):
        chosen = Selection(None, (), 1000, after)
        work = partial(collections.page, connection, key, chosen, 1000)
        yield f"collection: 1,000 items, {name}", work


def _problems(connection: Connection) -> Iterator[Look]:
    """The newest failures, and their causes."""
    until = START + 60 * _DAY

    def causes(chosen: Filters) -> None:
        ids, _ = history.newest_ids(connection, RUNS, chosen, MOST)
        grouped(history.named(connection, failures(connection, ids)), until)

    flow = str(connection.scalar(select(t.runs.c.workflow_id)))
    for name, key in (("", None), (", of a workflow", flow)):
        for days in (DAYS, 60):
            since = Range(until - days * _DAY, until)
            chosen = Filters(states=history.UNSUCCESSFUL, workflow_id=key, inserted=since)
            yield f"problems of {days} days{name}", partial(causes, chosen)


PARTS = {
    "lists": _lists,
    "problems": _problems,
    "search": _searches,
    "logs": _logs,
    "collections": _collections,
}

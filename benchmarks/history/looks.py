"""What is looked at in a long history, and how long each look takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import func, select

from holdfast.platform.store import collections, logs
from holdfast.platform.store import tables as t
from holdfast.platform.store.collections import Selection
from holdfast.platform.store.database import Connection, Database

TIMES = 7


def look(url: str) -> None:
    """Print the time of each look: the first, which may find nothing in memory, and the median."""
    database = Database(url, lambda _: None)
    database.open()
    try:
        database.submit(lambda tx: _all(tx.connection)).result()
    finally:
        database.close()


def _all(connection: Connection) -> None:
    for name, work in (*_logs(connection), *_collections(connection)):
        print(f"{name:<52} {timed(work)}", flush=True)


def timed(work: Callable[[], Any]) -> str:
    taken = []
    for _ in range(TIMES):
        started = time.perf_counter()
        work()
        taken.append((time.perf_counter() - started) * 1000)
    return f"first {taken[0]:8.1f} ms, median {statistics.median(taken):8.1f} ms"


def _logs(connection: Connection) -> list[tuple[str, Callable[[], Any]]]:
    """Of the longest log: its middle, its end, and a text that is in one line."""
    c = t.log_lines.c
    run = str(
        connection.scalar(select(c.run_id).where(c.id == select(func.max(c.id)).scalar_subquery()))
    )
    last = logs.count(connection, run)
    wanted = logs.Wanted(100, 10_000, 1_000_000)
    return [
        (f"log of {last} lines: 100 in its middle",
         lambda: logs.lines(connection, run, last // 2, wanted)),
        ("the same log: its end", lambda: logs.lines(connection, run, last - 100, wanted)),
        ("the same log: search 20,000 of its lines",
         lambda: logs.search(connection, run, "nowhere", after=last // 2)),
    ]  # fmt: skip


def _collections(connection: Connection) -> list[tuple[str, Callable[[], Any]]]:
    key = str(connection.scalar(select(t.collections.c.id)))
    middle = connection.scalar(select(func.max(t.collection_items.c.id))) or 0
    first, some = (Selection(None, (), 1000, cursor) for cursor in (0, middle // 2))
    return [
        ("collection: its first 1,000 items",
         lambda: collections.page(connection, key, first, 1000)),
        ("collection: 1,000 items in its middle",
         lambda: collections.page(connection, key, some, 1000)),
    ]  # fmt: skip

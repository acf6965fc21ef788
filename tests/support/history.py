"""A platform with a long history, made from a seed: `load(url, size, seed)`.

Rows go past the platform's writer, straight into the tables, and the indexes are made after them:
a million runs take minutes. The same seed gives the same rows. Everything in it could have come
from real runs: workflows that exist, steps of their jobs, logs, inputs and outputs.
"""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

from sqlalchemy import select

from holdfast.platform.clock import SECOND
from holdfast.platform.project.provision import from_payload
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Database, Transaction
from holdfast.platform.store.history_tables import search_parts
from holdfast.platform.store.projects import import_project
from holdfast.platform.store.search import Part
from support.history_rows import DAYS, START, Flow, Rows
from support.history_search import Found
from support.history_sinks import Sink, sink_of

#: Runs whose rows are made before they are written.
_BATCH = 2000
_JOBS = ("Fetch", "Transform", "Store")
_FILLED = (t.work_orders, t.runs, t.steps, t.run_steps, t.log_lines, t.dataclips,
           t.dataclip_bodies, t.collection_items)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Size:
    """How much: runs with three steps and `lines` lines each, one run more with a long log."""

    runs: int
    lines: int = 20
    long_log: int = 0
    items: int = 0
    item_bytes: int = 1000
    projects: int = 4
    workflows: int = 10

    @classmethod
    def times(cls, number: int) -> Size:
        """1, 10, 100: up to a million runs, three million steps, twenty million lines."""
        return cls(10_000 * number, long_log=100_000, items=10_000 * number)


def load(
    url: str,
    size: Size,
    seed: int | str = 1,
    tell: Callable[[str], None] = lambda _: None,
    *,
    searchable: bool = False,
) -> None:
    """Fill a new database. `tell` hears what was done and how long it took."""
    clock = time.perf_counter()

    def done(what: str) -> None:
        tell(f"{time.perf_counter() - clock:7.1f} s  {what}")

    flows, collection = _deploy(url, size)
    rows = Rows(random.Random(f"history {seed}"), flows, size.lines, searchable=searchable)
    with sink_of(url) as sink:
        sink.strip((*_FILLED, search_parts) if searchable else _FILLED)
        with ThreadPoolExecutor(1) as pool:  # rows are made while others are written
            storing = pool.submit(lambda: None)
            for moments, lines in _parts(size):
                found = _made(rows, moments, lines)
                storing.result()
                storing = pool.submit(_store, sink, *found)
            storing.result()
        done(f"{size.runs} runs, {3 * size.runs} steps, {size.lines * size.runs} lines")
        sink.copy(t.collection_items, rows.items(collection, size.items, size.item_bytes))
        sink.run(_sums(collection, size))
        done(f"{size.items} items")
        sink.finish()
        done("indexes")


def _parts(size: Size) -> Iterator[tuple[list[int], int | None]]:
    """When the runs of each batch begin; of the last one, which has a long log, how long it is."""
    for start in range(0, size.runs, _BATCH):
        numbers = range(start, min(size.runs, start + _BATCH))
        yield [START + n * DAYS * 86400 * SECOND // size.runs for n in numbers], None
    if size.long_log:
        yield [START + DAYS * 86400 * SECOND], size.long_log


def _made(
    rows: Rows, moments: list[int], lines: int | None
) -> tuple[Found, list[tuple[int, Part]]]:
    found: Found = {table.name: [] for table in _FILLED}
    for at in moments:
        rows.run(found, at, lines)
    return found, rows.parts(found)


def _store(sink: Sink, found: Found, parts: list[tuple[int, Part]]) -> None:
    for table in _FILLED:
        sink.copy(table, found[table.name])
    sink.copy_parts(parts)


def _sums(collection: str, size: Size) -> str:
    total = sum(len(f"key-{n}") for n in range(size.items)) + size.items * size.item_bytes
    return (
        f"UPDATE collections SET item_count = {size.items}, byte_size_sum = {total}"
        f" WHERE id = '{collection}'"
    )


def _deploy(url: str, size: Size) -> tuple[list[Flow], str]:
    """The workflows, in an order in which the first have the most runs; and a collection's id."""
    database = Database(url, lambda _: None)
    database.open()
    try:
        for number in range(size.projects):
            provision = from_payload(_project(number, size.workflows))
            database.submit(partial(import_project, provision=provision, resolved={})).result()
        return database.submit(_deployed).result()
    finally:
        database.close()


def _project(number: int, workflows: int) -> dict[str, Any]:
    return {
        "name": f"district-{number}",
        "collections": [{"name": "codes"}] if number == 0 else [],
        "workflows": [_workflow(number, f"Referrals {n}") for n in range(workflows)],
    }


def _workflow(project: int, name: str) -> dict[str, Any]:
    code = "fn(state => state)"
    trigger, *jobs = (_id(project, name, part) for part in ("webhook", *_JOBS))
    return {
        "name": name,
        "jobs": [
            {"id": key, "name": job, "body": code, "adaptor": "@openfn/language-common@3.0.2"}
            for key, job in zip(jobs, _JOBS, strict=True)
        ],
        "triggers": [{"id": trigger, "type": "webhook", "enabled": True}],
        "edges": [
            {"source_trigger_id": trigger, "target_job_id": jobs[0], "condition_type": "always"},
            *({"source_job_id": a, "target_job_id": b, "condition_type": "on_job_success"}
              for a, b in pairwise(jobs)),
        ],
    }  # fmt: skip


def _id(*names: object) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, " ".join(map(str, names))))


def _deployed(tx: Transaction) -> tuple[list[Flow], str]:
    w, s = t.workflows.c, t.snapshots.c
    query = select(w.id, w.project_id, s.id.label("snapshot"), s.body)
    query = query.join(t.snapshots, s.workflow_id == w.id).order_by(w.name, w.project_id)
    flows = [
        Flow(row.project_id, row.id, row.snapshot, _trigger(row.body), _jobs(row.body))
        for row in tx.connection.execute(query)
    ]
    return flows, str(tx.connection.scalar(select(t.collections.c.id)))


def _trigger(body: str) -> str:
    return str(json.loads(body)["triggers"][0]["id"])


def _jobs(body: str) -> tuple[str, ...]:
    ids = {job["name"]: job["id"] for job in json.loads(body)["jobs"]}
    return tuple(ids[name] for name in _JOBS)

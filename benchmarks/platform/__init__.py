"""The platform alone: claims from a long queue, webhooks, log lines over a real socket.

`--only=storm --minutes=20 --mb=1000`: webhooks while retention, bulk loads, a delete of so many
megabytes and backups go on.

On PostgreSQL: `python scripts/postgres_tests.py --with python -m benchmarks platform`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from benchmarks.platform.load import lines, started, webhooks  # noqa: E402
from benchmarks.platform.storm import storm  # noqa: E402
from holdfast.platform.access.keys import load_keys  # noqa: E402
from holdfast.platform.store import tables as t  # noqa: E402
from holdfast.platform.store.database import Transaction  # noqa: E402
from support.platform import Store  # noqa: E402 - not installed

QUEUED = 10_000
LONG, LANES, CLAIMERS = 100_000, 1000, 20
_PART = 10_000


def milliseconds(samples: list[float]) -> str:
    ordered = sorted(samples)
    p95 = ordered[int(len(ordered) * 0.95)]
    return f"median {statistics.median(samples) * 1000:.1f} ms, p95 {p95 * 1000:.1f} ms"


def claims(folder: Path) -> None:
    """A claim while 10,000 runs wait (bar: 50 ms)."""
    load_keys(folder, {})
    with Store(folder) as store:
        store.deploy()
        row = dict(store.run(store.enqueue())._mapping)

        def fill(tx: Transaction) -> None:
            rows = [row | {"id": str(uuid.uuid4())} for _ in range(QUEUED)]
            tx.connection.execute(insert(t.runs), rows)

        store.write(fill)
        for demand in (1, 5):
            taken = []
            for _ in range(30):
                started = time.perf_counter()
                store.claim(demand, ("manual", "*"))
                taken.append(time.perf_counter() - started)
            print(f"claim of {demand} with {QUEUED} waiting: {milliseconds(taken)}")


def long_queue(folder: Path) -> None:
    """Twenty workers claim while 100,000 runs of 1,000 workflows wait (bar: 10 ms)."""
    load_keys(folder, {})
    with Store(folder) as store:
        store.deploy()
        row = dict(store.run(store.enqueue())._mapping)

        keys = [str(uuid.uuid4()) for _ in range(LANES)]
        store.write(partial(_lanes, keys, row))
        for first in range(0, LONG, _PART):
            store.write(partial(_wait, keys, row, first))
        if not store.database.is_sqlite:
            with store.database.engine.connect() as connection:
                free = connection.execution_options(isolation_level="AUTOCOMMIT")
                free.exec_driver_sql("VACUUM ANALYZE runs")
        store.claim()

        def worker(pause: float) -> list[float]:
            taken = []
            for _ in range(25):
                started = time.perf_counter()
                assert len(store.claim(1, ("manual", "*"))) == 1
                taken.append(time.perf_counter() - started)
                time.sleep(pause)
            return taken

        for pause, words in ((0.2, "5 times a second each"), (0.0, "without a pause")):
            before = time.process_time()
            with ThreadPoolExecutor(CLAIMERS) as pool:
                samples = [one for many in pool.map(worker, [pause] * CLAIMERS) for one in many]
            used = (time.process_time() - before) / len(samples) * 1000
            print(f"{CLAIMERS} workers, {LONG} waiting in {LANES} lanes, {words}: "
                  f"{milliseconds(samples)}; {used:.1f} ms of processor time each")  # fmt: skip


def _lanes(keys: list[str], row: dict[str, Any], tx: Transaction) -> None:
    """Workflows like the one that there is."""
    flow = select(t.workflows).where(t.workflows.c.id == row["workflow_id"])
    like = dict(tx.connection.execute(flow).mappings().one())
    flows = [like | {"id": key, "name": key, "concurrency": 50} for key in keys]
    tx.connection.execute(insert(t.workflows), flows)


def _wait(keys: list[str], row: dict[str, Any], first: int, tx: Transaction) -> None:
    """Some runs more, of all workflows in turn."""
    query = select(t.work_orders).where(t.work_orders.c.id == row["work_order_id"])
    order = dict(tx.connection.execute(query).mappings().one())
    orders = [order | {"id": str(uuid.uuid4())} for _ in range(_PART)]
    tx.connection.execute(insert(t.work_orders), orders)
    rows = [
        row
        | {"id": str(uuid.uuid4()), "workflow_id": keys[(first + n) % LANES]}
        | {"inserted_at": row["inserted_at"] + first + n, "work_order_id": one["id"]}
        for n, one in enumerate(orders)
    ]
    tx.connection.execute(insert(t.runs), rows)


def main(flags: Sequence[str]) -> None:
    parser = argparse.ArgumentParser("python -m benchmarks platform", description=__doc__)
    parser.add_argument("--only", default="claims,long_queue,webhooks,lines", help="with commas")
    parser.add_argument("--minutes", type=float, default=0.5, help="of the storm")
    parser.add_argument("--mb", type=int, default=50, help="that the storm deletes")
    asked = parser.parse_args(flags)
    chosen = asked.only.split(",")
    with tempfile.TemporaryDirectory() as name:
        for work in (claims, long_queue):
            if work.__name__ in chosen:
                work(Path(name) / work.__name__)
        if "storm" in chosen:
            storm(Path(name) / "storm", asked.minutes, asked.mb)
        for part in (webhooks, lines):
            if part.__name__ in chosen:
                with started(Path(name) / part.__name__) as platform:
                    part(platform)

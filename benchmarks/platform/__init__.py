"""The platform alone: claims from a long queue, webhooks, events over a real socket."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import insert, select

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from holdfast.platform.access.keys import load_keys  # noqa: E402
from holdfast.platform.store import tables as t  # noqa: E402
from holdfast.platform.store.database import Transaction  # noqa: E402
from support.platform import TRIGGER, RunTalk, Served, Store  # noqa: E402 - not installed

QUEUED = 10_000
LONG, LANES, CLAIMERS = 100_000, 1000, 20
LINES = 10_000


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

        def fill(tx: Transaction) -> None:
            flow = select(t.workflows).where(t.workflows.c.id == row["workflow_id"])
            like = dict(tx.connection.execute(flow).mappings().one())
            first = select(t.work_orders).where(t.work_orders.c.id == row["work_order_id"])
            order = dict(tx.connection.execute(first).mappings().one())
            keys = [str(uuid.uuid4()) for _ in range(LANES)]
            flows = [like | {"id": key, "name": key, "concurrency": 50} for key in keys]
            tx.connection.execute(insert(t.workflows), flows)
            for part in range(0, LONG, 10_000):
                orders = [order | {"id": str(uuid.uuid4())} for _ in range(10_000)]
                tx.connection.execute(insert(t.work_orders), orders)
                rows = [
                    row
                    | {"id": str(uuid.uuid4()), "workflow_id": keys[(part + n) % LANES]}
                    | {"inserted_at": row["inserted_at"] + part + n, "work_order_id": one["id"]}
                    for n, one in enumerate(orders)
                ]
                tx.connection.execute(insert(t.runs), rows)

        store.write(fill)
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
            with ThreadPoolExecutor(CLAIMERS) as pool:
                samples = [one for many in pool.map(worker, [pause] * CLAIMERS) for one in many]
            print(f"{CLAIMERS} workers, {LONG} waiting in {LANES} lanes, {words}: "
                  f"{milliseconds(samples)}")  # fmt: skip


def webhooks(served: Served) -> None:
    def post(n: int) -> float:
        started = time.perf_counter()
        served.post({"n": n})
        return time.perf_counter() - started

    print(f"webhook, one after another: {milliseconds([post(n) for n in range(100)])}")
    started = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(post, range(400)))
    rate = len(taken) / (time.perf_counter() - started)
    print(f"webhook, eight at a time: {rate:.0f}/s, {milliseconds(taken)}")


def events(served: Served) -> None:
    """Log lines over a real socket: one at a time as Lightning's worker does, and as ours does."""
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        taken = []
        for _ in range(200):
            started = time.perf_counter()
            talk.log("one line")
            taken.append(time.perf_counter() - started)
        print(f"event and its answer: {milliseconds(taken)}")
        started = time.perf_counter()
        refs = [send_batch(talk, 50) for _ in range(LINES // 50)]
        for ref in refs:
            assert worker.reply(ref)["status"] == "ok"
        rate = LINES / (time.perf_counter() - started)
        print(f"log lines in batches of 50, pipelined: {rate:.0f} lines/s")


def send_batch(talk: RunTalk, count: int) -> str:
    lines = [
        {"message": [f"line {n}", {"n": n}], "timestamp": talk.now(), "source": "JOB",
         "level": "info", "id": str(uuid.uuid4())}
        for n in range(count)
    ]  # fmt: skip
    return talk.worker.send(f"run:{talk.id}", "run:batch_logs", {"run_id": talk.id, "logs": lines})


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        claims(Path(name) / "queue")
        long_queue(Path(name) / "long")
        with Served(Path(name) / "data") as served:
            served.deploy()
            webhooks(served)
            served.client.post(f"/i/{TRIGGER}", json={})
            events(served)


if __name__ == "__main__":
    main()

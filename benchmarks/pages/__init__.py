"""The pages: the server's time for each at two sizes of history, and the bytes a browser loads."""

from __future__ import annotations

import gzip
import re
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path

from sqlalchemy import insert, select

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from holdfast.platform.store import tables as t  # noqa: E402
from holdfast.platform.store.database import Transaction  # noqa: E402
from support.platform import FETCH, STORE, Served  # noqa: E402 - not installed

#: Runs of the history, tries of each page, and the bar in milliseconds.
SIZES, TRIES, BAR_MS = (1_000, 10_000), 15, 100
TABLES = (t.work_orders, t.runs, t.steps, t.run_steps)


def main() -> None:
    """Print a row for each page (bar: 100 ms), then the bytes of each."""
    with tempfile.TemporaryDirectory() as folder, Served(Path(folder) / "data") as served:
        served.deploy()
        failed = _example(served)
        workflow = served.client.get("/api/provision/demo").json()["data"]["workflows"][0]["id"]
        paths = [
            "/", "/runs", "/runs?state=failed", "/runs?state=available", "/work_orders",
            "/problems", f"/runs/{failed}", f"/runs/{failed}/compare", f"/workflows/{workflow}",
            f"/workflows/{workflow}/edit", "/workers", "/audit", "/settings",
            *(f"/projects/demo/{n}" for n in ("file", "credentials", "collections", "retention")),
        ]  # fmt: skip
        times: dict[str, list[float]] = {path: [] for path in paths}
        have = 2
        for size in SIZES:
            served.write(lambda tx, more=size - have: _fill(tx, failed, more))  # type: ignore[misc]
            have = size
            for path in paths:
                times[path].append(_median_ms(served, path))
        for path, (few, many) in times.items():
            name = path.replace(failed, "RUN").replace(workflow, "WORKFLOW")
            page, scripts, packed = _bytes(served, path)
            mark = "" if many <= BAR_MS else "  <- over the bar"
            print(
                f"{name:<28} {few:6.1f} ms at {SIZES[0]:,} runs, {many:6.1f} ms at {SIZES[1]:,};"
                f" page {page / 1000:.0f} KB, scripts {scripts / 1000:.0f} KB"
                f" ({packed / 1000:.0f} KB compressed){mark}"
            )


def _example(served: Served) -> str:
    """A success and a failure with steps and log lines; the id of the failed run."""
    good, bad = served.post({"n": 1}), served.post({"n": 2})
    with served.worker() as worker:
        for run in (good, bad):
            talk = worker.take()
            talk.start()
            wrong = {} if run == good else {"reason": "fail", "error_type": "E",
                                            "error_message": "TypeError: no"}  # fmt: skip
            for job in (FETCH, STORE):
                step = talk.start_step(job)
                for n in range(50):
                    talk.log(f"line {n}", step_id=step)
                talk.ok(
                    "step:complete", talk.step_end(step, job, **(wrong if job == STORE else {}))
                )
            talk.complete(**wrong)
    return bad


def _fill(tx: Transaction, run_id: str, more: int) -> None:
    """Copies of the failed run, each with a work order and steps of its own.

    They have no outputs: no document belongs to thousands of runs.
    """
    c = tx.connection
    run = dict(c.execute(select(t.runs).where(t.runs.c.id == run_id)).one()._mapping)
    order = dict(
        c.execute(select(t.work_orders).where(t.work_orders.c.id == run["work_order_id"]))
        .one()
        ._mapping
    )
    steps = [
        dict(row._mapping)
        for row in c.execute(
            select(t.steps)
            .join(t.run_steps, t.run_steps.c.step_id == t.steps.c.id)
            .where(t.run_steps.c.run_id == run_id)
        )
    ]
    rows: dict[str, list[dict[str, object]]] = {table.name: [] for table in TABLES}
    for n in range(more):
        run_key, order_key = str(uuid.uuid4()), str(uuid.uuid4())
        at = run["inserted_at"] - n - 1
        rows["work_orders"].append(order | {"id": order_key, "inserted_at": at})
        rows["runs"].append(
            run | {"id": run_key, "work_order_id": order_key, "inserted_at": at,
                   "final_dataclip_id": None, "state": "failed" if n % 5 == 0 else "success"}
        )  # fmt: skip
        for step in steps:
            key = str(uuid.uuid4())
            rows["steps"].append(step | {"id": key, "output_dataclip_id": None})
            rows["run_steps"].append({"run_id": run_key, "step_id": key})
    for table in TABLES:
        c.execute(insert(table), rows[table.name])


def _median_ms(served: Served, path: str) -> float:
    taken = []
    for _ in range(TRIES):
        started = time.perf_counter()
        answer = served.client.get(path)
        taken.append((time.perf_counter() - started) * 1000)
        assert answer.status_code == 200, (path, answer.text[:200])
    return statistics.median(taken)


def _bytes(served: Served, path: str) -> tuple[int, int, int]:
    """Of the page, of its scripts, and of its scripts as they travel."""
    text = served.client.get(path).text
    scripts = [served.client.get(s).content for s in re.findall(r'<script src="([^"]+)"', text)]
    return len(text.encode()), sum(map(len, scripts)), sum(len(gzip.compress(s)) for s in scripts)

"""The whole product: from webhook to finished run, throughput, and memory when idle."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from holdfast.adaptors import Store  # noqa: E402
from support.adaptors import COMMON  # noqa: E402 - the tests' helpers are not installed
from support.product import Product, start  # noqa: E402

RUNS = 20
BURST = 60


def proportional_mb(pid: int) -> float:
    """Proportional set size of a process and all below it, MiB."""
    total = 0.0
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) / 1024
        children = [
            int(word)
            for file in Path(f"/proc/{pid}/task").glob("*/children")
            for word in file.read_text().split()
        ]
    except OSError:
        return total
    return total + sum(map(proportional_mb, children))


def latency(product: Product, webhook: str) -> list[float]:
    """Seconds from the post to the final state, one run after another."""
    taken = []
    for n in range(RUNS):
        started = time.perf_counter()
        product.finished(product.send(webhook, {"n": n}))
        taken.append(time.perf_counter() - started)
    return taken


def burst(product: Product, webhook: str) -> float:
    """Runs per second when many wait."""
    started = time.perf_counter()
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda n: product.send(webhook, {"n": n}), range(BURST)))
    for run in runs:
        assert product.finished(run)["state"] == "success"
    return BURST / (time.perf_counter() - started)


def main() -> None:
    """Print the figures as a table."""
    store = Store(ROOT / ".cache" / "adaptors")
    asyncio.run(store.ensure([COMMON]))
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as temporary:
        folder = Path(temporary)
        product = start(folder / "data", folder, store)
        try:
            webhook = product.deploy("bench", "fn(s => ({ data: { n: s.data.n + 1 } }))")
            product.finished(product.send(webhook, {"n": 0}))
            taken = sorted(latency(product, webhook))
            rate = burst(product, webhook)
            time.sleep(3)  # let what the burst made ready settle: this measures idleness
            idle = proportional_mb(product.up.process.pid)
        finally:
            product.up.stop()
            product.up.kill()
    figures = {
        "webhook to finished, median ms": round(statistics.median(taken) * 1000, 1),
        "webhook to finished, p95 ms": round(taken[int(RUNS * 0.95) - 1] * 1000, 1),
        f"runs per second, {BURST} waiting": round(rate, 2),
        "memory idle, proportional MiB": round(idle, 1),
    }
    for name, value in figures.items():
        print(f"{name:<40}{value:>10}")
    print(json.dumps(figures))

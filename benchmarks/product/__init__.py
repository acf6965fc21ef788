"""The whole product: from webhook to finished run, at fixed rates, throughput, memory when idle.

python -m benchmarks product [--only=latency,rates,burst]
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from benchmarks.bars import against, plain  # noqa: E402
from benchmarks.processes import proportional_mb  # noqa: E402
from benchmarks.yardstick import pace  # noqa: E402
from holdfast.adaptors import Store  # noqa: E402
from support.adaptors import COMMON  # noqa: E402 - the tests' helpers are not installed
from support.product import Product, start  # noqa: E402

RUNS = 20
BURST = 60
#: Runs before a burst: a workflow has its zygote after the second.
_BEFORE = 5
#: Requests a second, for how many seconds, and the most that 99 of 100 may take, ms.
RATES = ((5, 5, None), (20, 8, 150), (50, 5, None))
_BODY = "fn(s => ({ data: { n: s.data.n + 1 } }))"


def latency(product: Product) -> None:
    """From the request to the end of its run, one after another, by the platform's clock."""
    webhook = product.deploy("bench", _BODY)
    product.finished(product.send(webhook, {"n": 0}))
    whole, waited = [], []
    for number in range(RUNS):
        time.sleep(0.6)
        began = time.time()
        run = product.finished(product.send(webhook, {"n": number}))
        inserted, claimed, ended = (
            datetime.fromisoformat(run[name]).timestamp()
            for name in ("inserted_at", "claimed_at", "finished_at")
        )
        whole.append((ended - began) * 1000)
        waited.append((claimed - inserted) * 1000)
    against("webhook to finished, median", statistics.median(whole), 60, unit="ms", pace=pace())
    plain("webhook to finished, slowest", max(whole), "ms")
    plain("of it until the claim, median", statistics.median(waited), "ms")


def rates(product: Product) -> None:
    """Synchronous webhooks that come at fixed rates, whatever becomes of those before."""
    webhook = product.deploy("sync", _BODY, reply="after_completion")
    httpx.post(webhook, json={"n": 0}, timeout=60)
    for rate, seconds, bar in RATES:
        answers = asyncio.run(_at_rate(webhook, rate, seconds))
        taken = sorted(milliseconds for milliseconds, _ in answers)
        bad = sum(status >= 300 for _, status in answers)
        parts = {name: taken[int(len(taken) * part)] for name, part in _PARTS.items()}
        told = ", ".join(f"{name} {value:.0f}" for name, value in parts.items())
        text = f"synchronous webhook, {rate}/s for {seconds} s"
        plain(f"{text}, {bad} in vain, ms: least {taken[0]:.0f}, {told}, most", taken[-1])
        if bar is not None:
            against(f"{text}: 99 of 100", parts["99 %"], bar, unit="ms", pace=pace())


_PARTS = {"10 %": 0.1, "half": 0.5, "90 %": 0.9, "95 %": 0.95, "99 %": 0.99}


async def _at_rate(webhook: str, rate: int, seconds: int) -> list[tuple[float, int]]:
    """Milliseconds of each request, counted from when it was due, and its status."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        begin = asyncio.get_running_loop().time() + 0.1

        async def one(number: int) -> tuple[float, int]:
            loop = asyncio.get_running_loop()
            due = begin + number / rate
            await asyncio.sleep(due - loop.time())
            answer = await client.post(webhook, json={"n": number})
            return (loop.time() - due) * 1000, answer.status_code

        return await asyncio.gather(*(one(number) for number in range(rate * seconds)))


def burst(product: Product) -> None:
    """Runs per second when many wait, and the memory when all is quiet again."""
    webhook = product.deploy("burst", _BODY)
    for number in range(_BEFORE):
        product.finished(product.send(webhook, {"n": number}))
    started = time.perf_counter()
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda n: product.send(webhook, {"n": n}), range(BURST)))
    for run in runs:
        assert product.finished(run)["state"] == "success"
    rate = BURST / (time.perf_counter() - started)
    plain(f"runs per second, {BURST} waiting", rate)
    time.sleep(3)  # let what the burst made ready settle: this measures idleness
    plain("memory idle, proportional", proportional_mb(product.up.process.pid), "MiB")


ROWS: dict[str, Callable[[Product], None]] = {
    "latency": latency, "rates": rates, "burst": burst,
}  # fmt: skip


def main(flags: list[str]) -> None:
    """All rows, or those named."""
    given = dict(flag.removeprefix("--").split("=", 1) for flag in flags)
    store = Store(ROOT / ".cache" / "adaptors")
    asyncio.run(store.ensure([COMMON]))
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as temporary:
        folder = Path(temporary)
        # the default; the tests' own is "open", under which no run is forked
        product = start(folder / "data", folder, store, "--egress", "public")
        try:
            for name in given["only"].split(",") if "only" in given else ROWS:
                ROWS[name](product)
        finally:
            product.up.stop()
            product.up.kill()

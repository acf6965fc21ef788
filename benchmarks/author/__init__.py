"""What an author waits for: from a saved job to the difference; what it costs to see requests;
how many failures are blamed on whoever caused them.

python -m benchmarks author [--only=watch,requests,blame] [--times=20]
"""

from __future__ import annotations

import asyncio
import signal
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from benchmarks.author import pairs  # noqa: E402
from benchmarks.author.blame import blamed, table  # noqa: E402
from benchmarks.author.saves import save_to_difference  # noqa: E402
from benchmarks.bars import against, plain  # noqa: E402
from benchmarks.yardstick import pace  # noqa: E402
from holdfast.adaptors import Store  # noqa: E402
from support.adaptors import COMMON  # noqa: E402 - the tests' helpers are not installed

HTTP = "@openfn/language-http@7.2.10"


def watch(store: Store, times: int) -> None:
    """`--watch` of `holdfast run` and of `holdfast replay`, a job with one operation."""
    for kind in ("run", "replay"):
        with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
            found = save_to_difference(kind, Path(folder), store.root, times)
        text = f"holdfast {kind} --watch, from save to difference"
        against(f"{text}: median", statistics.median(found), 300, unit="ms", pace=pace())
        plain(f"{text}: slowest of {times}", max(found), "ms")


def requests(store: Store, times: int) -> None:
    """Runs of 50 requests in turns: told to the journal, not told, and recorded for a replay."""
    adaptor = asyncio.run(store.ensure([HTTP]))[HTTP]
    for delay in (0, 20):
        found = asyncio.run(pairs.measured(store.root, {HTTP: adaptor.to_option()}, delay, times))
        whole = statistics.median(found["untold"])
        words = f"50 requests, each answered after {delay} ms"
        plain(f"{words}: not told, median", whole, "ms")
        for kind in ("told", "recorded"):
            both = zip(found[kind], found["untold"], strict=True)
            share = statistics.median(one / other - 1 for one, other in both) * 100
            text = f"{words}: {kind}, median of {times} pairs"
            if kind == "told":
                against(text, share, 3, unit="%")
            else:
                plain(text, share, "%")


def blame(store: Store, _times: int) -> None:
    """Labelled failures, and whose turn their explanations say it is."""
    installed = asyncio.run(store.ensure([COMMON, HTTP]))
    options = {name: adaptor.to_option() for name, adaptor in installed.items()}
    found = blamed(store.root, {**options})
    for case, said, why in found:
        if said != case.turn:
            print(f"  {case.name}: {said}: {why}\n    {case.code!r}")
    print("\n".join(table(found)))
    right = sum(said == case.turn for case, said, _ in found)
    text = f"whose turn it is, of {len(found)} failures"
    against(text, right / len(found) * 100, 95, unit="%", least=True)


ROWS: dict[str, Callable[[Store, int], None]] = {
    "watch": watch, "requests": requests, "blame": blame,
}  # fmt: skip


def main(flags: list[str]) -> None:
    """All rows, or those named."""
    given = dict(flag.removeprefix("--").split("=", 1) for flag in flags)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    store = Store(ROOT / ".cache" / "adaptors")
    asyncio.run(store.ensure([COMMON, HTTP]))
    wanted = given.get("only", ",".join(ROWS)).split(",")
    for name in wanted:
        ROWS[name](store, int(given.get("times", "20")))

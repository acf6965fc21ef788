"""`python -m benchmarks.adaptors`: real adaptors as npm lays them out and as one file.

Uses the tests' store in `.cache/adaptors` and one beside it; installs what is missing there.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from holdfast.adaptors import Store, node_binary  # noqa: E402
from holdfast.sandbox import v8  # noqa: E402
from support.adaptors import OVERRIDES, REAL  # noqa: E402 the tests' folder comes first

LOAD = Path(__file__).with_name("load.mjs")
ROUNDS = 9
#: Those of the engine that matter for loading.
FLAGS = ["--max-semi-space-size=1", *v8.FLAGS, "--no-warnings"]


def load(file: Path) -> dict[str, float]:
    """Median cost of loading a file in a process of its own."""
    rounds = []
    for _ in range(ROUNDS):
        command = [str(node_binary()), *FLAGS, str(LOAD), str(file)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rounds.append(json.loads(output.rpartition("\n")[2]))
    return {key: statistics.median(item[key] for item in rounds) for key in rounds[0]}


def line(name: str, cost: dict[str, float]) -> None:
    print(f"{name:<44} {cost['ms']:7.0f} ms {cost['cpu_ms']:7.0f} CPU ms {cost['pss_mb']:7.0f} MB")


def loading(store: Store) -> None:
    print(f"Loading in a fresh Node, medians of {ROUNDS} (memory: proportional, whole process)")
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.mjs"
        empty.write_text("export const a = 1;\n")
        line("empty module", load(empty))
    plain = Store(store.root.with_name("adaptors-npm"), overrides=OVERRIDES, flatten=False)
    originals = asyncio.run(plain.ensure(REAL))
    for name, adaptor in asyncio.run(store.ensure(REAL)).items():
        original = originals[name]
        line(f"{adaptor}, as npm has it", load(original.path / original.entry))
        line(f"{adaptor}, as installed", load(adaptor.path / adaptor.entry))


def asking(root: Path) -> None:
    print("Asking the store for all five")
    store = Store(root)
    for name in ("first time in a process (all files read)", "again"):
        started = time.perf_counter()
        asyncio.run(store.ensure(REAL))
        print(f"{name:<44} {(time.perf_counter() - started) * 1000:9.1f} ms")


def main() -> None:
    root = ROOT / ".cache" / "adaptors"
    store = Store(root, overrides=OVERRIDES)
    asyncio.run(store.ensure(REAL))
    loading(store)
    asking(root)


if __name__ == "__main__":
    main()

"""Whole runs of steps that carry much data, by the real command, under a small memory limit."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.compiler.shapes import TAIL, source

#: `author` is none of the shapes of `docs/research/compiler-cost.md`. Data in a notation that is
#: no JSON stays in the module, and V8 needs more than 300 MB for 25 MB of it. It has no bar.
UNBARRED = "author"
#: Bytes of embedded data and the limit (MB) under which a run must compile and use them.
BARS = ((5_000_000, 100), (25_000_000, 300))
SHAPES = ("tree", "tree-op", "wide", "str", "parse", "author")
USE = "\nconst use = (f) => f;\nuse((s) => ({ data: { keys: Object.keys(table).length } }));\n"


def main() -> None:
    """Print the table."""
    print("\nwhole runs under a limit, bar: each succeeds (author: no bar)")
    print("| data, limit | " + " | ".join(SHAPES) + " |\n|---" + "|---" * len(SHAPES) + "|")
    for size, limit in BARS:
        cells = [outcome(shape, size, limit) for shape in SHAPES]
        label = f"{size // 1_000_000} MB, {limit} MB"
        print(f"| {label} | " + " | ".join(cells) + " |", flush=True)


def outcome(shape: str, size: int, limit: int) -> str:
    """How a run of one step with this data ends."""
    text = source(shape, size)
    if shape == "tree-op":
        text = "use" + text[2 : text.rindex(TAIL)] + USE.replace("table", "s.table")
    else:
        text = text[: text.rindex(f"fn(s => s);{TAIL}")] + USE
    with tempfile.TemporaryDirectory() as folder:
        job, result = Path(folder, "job.js"), Path(folder, "result.json")
        job.write_text(text, encoding="utf-8")
        # The command counts in MiB; rounded down, so that the limit is no larger than said.
        mebibytes = limit * 1_000_000 // (1 << 20)
        holdfast = str(Path(sys.executable).with_name("holdfast"))
        command = [holdfast, "run", str(job), "--memory", str(mebibytes), "-o", str(result)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0 and json.loads(result.read_text())["data"]["keys"] > 0:
            return "success" if shape == UNBARRED else "success, bar held"
    last = (done.stderr.strip().splitlines() or ["no words"])[-1]
    word = "no bar" if shape == UNBARRED else "BAR MISSED"
    return f"exit code {done.returncode}, {word}: {last[:80]}"

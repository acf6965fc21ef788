"""`python -m benchmarks compiler [--quick] [--v8]`: tables for `docs/figures.md`.

Every figure is of a fresh process that reads a plan from a pipe, compiles it, and sends frames on,
as in a run: CPU seconds with its start, and the most memory it ever held.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.bars import against
from benchmarks.compiler import limits
from benchmarks.compiler.shapes import SHAPES, source
from benchmarks.yardstick import pace
from holdfast.engine.config import node_binary
from holdfast.engine.frames import CHUNK, ToRun, encode

SIZES = {"10 KB": 10_000, "100 KB": 100_000, "1 MB": 1_000_000, "5 MB": 5_000_000,
         "10 MB": 10_000_000, "25 MB": 25_000_000}  # fmt: skip
CHILD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
from holdfast.engine.run.compile_process import main
main()
status = open("/proc/self/status").read()
used = os.times()
sys.stderr.write("%f %d" % (used.user + used.system, int(status.split("VmHWM:")[1].split()[0])))
"""
#: The shapes of nested data, for which the bars of size and memory are.
NESTED = ("tree", "tree-op", "wide")
#: Of each shape and size: CPU s, peak MB, CPU ms per MB, and the pace they were measured at.
Costs: TypeAlias = "dict[tuple[str, str], tuple[float, float, float, float]]"
LOAD = Path(__file__).with_name("load.mjs")


def main(arguments: list[str] | None = None) -> None:
    """Print the tables."""
    flags = sys.argv[1:] if arguments is None else arguments
    sizes = dict(list(SIZES.items())[: 3 if "--quick" in flags else None])
    text = "a 2 KB job in a warm process, median of 200"
    against(text, warm() * 1000, 3, unit="ms", pace=pace())
    print("compiler process: CPU s / peak MB, and CPU ms per MB of source")
    print("| shape | " + " | ".join(sizes) + " |\n|---" + "|---" * len(sizes) + "|")
    costs: Costs = {}
    for shape in SHAPES:
        cells = []
        for label, size in sizes.items():
            text = source(shape, size)
            cpu, peak = process(text)
            per = cpu * 1000 / ((size if shape == "ext" else len(text.encode())) / 1e6)
            costs[shape, label] = (cpu, peak, per, pace())
            cells.append(f"{cpu:.2f} / {peak:.0f} ({per:.0f})")
        print(f"| {shape} | " + " | ".join(cells) + " |", flush=True)
    bars(costs)
    if "--quick" not in flags:
        limits.main()
    if "--v8" in flags:
        loading()


def bars(costs: Costs) -> None:
    """Each bar beside its figure, as far as it was measured."""
    for label, most, size in (("1 MB", 0.1, 20), ("25 MB", 1.5, 60)):
        for shape in NESTED:
            if (shape, label) in costs:
                cpu, peak, _, slower = costs[shape, label]
                against(f"{label} of {shape}", cpu, most, unit="CPU s", pace=slower)
                against(f"{label} of {shape}", peak, size, unit="MB peak")
    for shape in SHAPES:
        if (shape, "25 MB") in costs:
            ratio = costs[shape, "25 MB"][2] / costs[shape, "1 MB"][2]
            what = f"{shape}: cost per MB at 25 MB to that at 1 MB"
            against(what, ratio, 1.5, unit="times")


def process(text: str) -> tuple[float, float]:
    """CPU seconds and peak MB (10^6 bytes) of one compilation."""
    step = {"id": "a", "name": "A", "expression": text, "adaptors": ["@openfn/language-common@1"]}
    plan = json.dumps({"id": "r", "workflow": {"steps": [step]}}, ensure_ascii=False).encode()
    incoming, outgoing = os.pipe()
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(outgoing)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[outgoing],
    )
    os.close(outgoing)
    feeding = threading.Thread(target=feed, args=(child.stdin, plan))
    feeding.start()
    while os.read(incoming, 1 << 20):
        pass
    os.close(incoming)
    feeding.join()
    assert child.stderr is not None
    cpu, kilobytes = child.stderr.read().split()
    if child.wait() != 0:
        message = f"the compiler failed: {child.returncode}"
        raise SystemExit(message)
    return float(cpu), int(kilobytes) * 1024 / 1e6


def feed(pipe: Any, plan: bytes) -> None:
    """Send what a shim sends."""
    pipe.write(encode(ToRun.OPTIONS, b'{"run_id": "r"}'))
    for start in range(0, len(plan), CHUNK):
        pipe.write(encode(ToRun.PLAN, plan[start : start + CHUNK]))
    pipe.write(encode(ToRun.GO))
    pipe.close()


def warm() -> float:
    """CPU seconds of compiling a small job, when everything is loaded; without collections of
    garbage meanwhile, as in the compiler's process."""
    from holdfast.compiler import AdaptorExports, compile_job

    parts = ["get('/x', { q: $.q }).then(s => s);", "fn(state => ({ ...state, n: state.a + 1 }));"]
    text = "\n".join(parts * (2000 // len("".join(parts))))
    known = [AdaptorExports("@openfn/language-http", ["get", "fn", "post", "each"])]
    found = []
    gc.disable()
    for _ in range(200):
        started = time.process_time()
        compile_job(text, known)
        found.append(time.process_time() - started)
        gc.collect()
    gc.enable()
    return sorted(found)[100]


def loading() -> None:
    """Memory that V8 needs to load a step, as it stands and with its data taken out."""
    from holdfast.compiler import compile_job

    print("\nNode, peak MB above an empty module: judge, load and read all data")
    print("| shape, form | 1 MB | 5 MB | 25 MB |\n|---|---|---|---|")
    for shape in ("tree", "str"):
        for form, hoist_from in (("literal", None), ("taken out", 32 * 1024)):
            cells = []
            for size in (1_000_000, 5_000_000, 25_000_000):
                job = compile_job(source(shape, size), hoist_from=hoist_from)
                cells.append(f"{loaded(job) - loaded(compile_job('')):.0f}")
            print(f"| {shape}, {form} | " + " | ".join(cells) + " |", flush=True)


def loaded(job: Any) -> float:
    """Peak MB of a Node process that judges and evaluates a step."""
    from holdfast.engine.run.compile_process import module_frames
    from holdfast.engine.run.syntax import FLAGS

    with tempfile.TemporaryFile() as file:
        for body in module_frames(0, {"id": "a"}, job):
            file.write(encode(ToRun.MODULE, body))
        file.seek(0)
        done = subprocess.run(
            [node_binary(), *FLAGS, LOAD], stdin=file, stdout=subprocess.PIPE, check=True
        )
    return float(done.stdout)


if __name__ == "__main__":
    main()

"""A command that watches a job, and the time from each save until it shows the difference."""

from __future__ import annotations

import time
from pathlib import Path

from support.command import Command

_STATE = '{"data": {"n": 1}}'
#: Between two saves: the engine makes a process ready meanwhile, as while a person types.
_PAUSE_SECONDS = 1.0


def save_to_difference(kind: str, folder: Path, store: Path, times: int) -> list[float]:
    """Milliseconds, one for each save. `kind`: `run` or `replay`."""
    env = {"WORKER_REPO_DIR": str(store)}
    job = folder / "job.js"
    job.write_text(_code(0))
    (folder / "state.json").write_text(_STATE)
    words = ["run", "job.js", "-a", "common@3.3.4", "-i", "@state.json"]
    if kind == "replay":
        recorded = Command(*words, "--record", "run.json", env=env, folder=folder)
        recorded.wait_for_line("again: holdfast replay")
        recorded.process.wait(60)
        words = ["replay", "run.json", "--code", "job.js"]
    started = Command(*words, "--watch", env=env, folder=folder)
    try:
        started.wait_for_line("watching job.js")
        found = [_saved(started, job, number) for number in range(1, times + 2)]
    finally:
        started.kill()
    return found[1:]  # the first one loads what the others find


def _saved(started: Command, job: Path, number: int) -> float:
    time.sleep(_PAUSE_SECONDS)
    seen = len(started.lines)
    begun = time.perf_counter()
    job.write_text(_code(number))
    while not any(f"-> {1 + number}" in line for line in started.lines[seen:]):
        if time.perf_counter() - begun > 60:
            raise AssertionError(started.output)
        time.sleep(0.001)
    return (time.perf_counter() - begun) * 1000


def _code(number: int) -> str:
    return f"fn(state => ({{ ...state, total: state.data.n + {number} }}));\n"

"""A run that computes for long, through the whole engine."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from holdfast.engine.client import RunHandle
from holdfast.model.outcome import Reason
from holdfast.model.record import Kind
from support import cgroups
from support.engine import engine, execute, next_record, prepare
from support.waiting import eventually

BUSY = "export default [state => { while (true); }];"
#: Looks with room on the machine, before a run that is not held is a failure; looks in all; and
#: seconds between two. The run takes a whole processor from the other tests meanwhile.
ROOMY, LOOKS, PAUSE = 20, 60, 0.25


def idle_seconds() -> float:
    """Of all processors together, since boot."""
    fields = Path("/proc/stat").read_text().split(None, 6)
    return (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK")


def held(pid: int, part: int) -> bool:
    """Wait until a process is held. On a machine that others take whole it is not: skips."""
    roomy = 0
    for _ in range(LOOKS):
        began, idle = time.monotonic(), idle_seconds()
        if len(os.sched_getaffinity(pid)) == part:
            return True
        time.sleep(PAUSE)
        roomy += (idle_seconds() - idle) / (time.monotonic() - began) > 0.6
        if roomy > ROOMY:
            return False
    pytest.skip("the machine was too busy for anything to be kept free on it")


def others_first(pid: int) -> bool:
    """By its control group, or by its session if nothing weighs it. True if nothing can."""
    names = {Path(row).name for row in Path(f"/proc/{pid}/cgroup").read_text().splitlines()}
    for name in (name for name in names if name.startswith("holdfast-")):
        for file in (folder / "cpu.idle" for folder in cgroups.folders(name)):
            if file.exists():
                return file.read_text() == "1\n"
    return (
        not cgroups.session_counts(pid) or "nice 19" in Path(f"/proc/{pid}/autogroup").read_text()
    )


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one processor is no choice")
def test_it_is_held_to_its_part_of_the_processors(tmp_path: Path) -> None:
    part = max(1, len(os.sched_getaffinity(0)) // 4)

    async def see(handle: RunHandle) -> None:
        await next_record(handle, Kind.STEP_START)
        pids = (await next_record(handle, Kind.LAUNCHED))["pids"]
        assert isinstance(pids, dict)
        pid = int(str(pids["engine"]))
        found.append(held(pid, part))
        eventually(lambda: others_first(pid), "all others go first")
        await handle.cancel()

    found: list[bool] = []
    with engine(tmp_path) as running:
        assert execute(running, prepare(running, BUSY), see).outcome.reason is Reason.CANCEL
    assert found == [True]

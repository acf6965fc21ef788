"""Looks at a run's scratch folder that the run disturbs (`engine/shim/watch.py`)."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Any, cast

from holdfast.engine.loop import Loop
from holdfast.engine.shim.watch import Watch
from holdfast.model.evidence import Stop
from holdfast.model.limits import Limits
from holdfast.sandbox.groups import Sampling


def test_scratch_that_cannot_be_measured_is_the_runs_doing(tmp_path: Path) -> None:
    stops: list[Stop] = []
    recorder = cast("Any", None)  # takes no part
    watch = Watch(Loop(), Sampling(), recorder, Limits(), lambda stop, _: stops.append(stop))
    watch.scratch = tmp_path / "closed by the run"
    for _ in range(10):
        watch._measure_scratch()
    assert stops == [Stop.SCRATCH]


def test_a_run_that_maps_a_deleted_file_is_told_so(tmp_path: Path) -> None:
    stops: list[str | None] = []
    recorder = cast("Any", None)  # takes no part
    watch = Watch(Loop(), Sampling(), recorder, Limits(), lambda _, why: stops.append(why))
    watch.scratch, watch._engine = tmp_path, os.getpid()
    path = tmp_path / "file"
    path.write_bytes(b"x" * 4096)
    with path.open("rb") as file:
        memory = mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ)
    with memory:
        path.unlink()
        watch._measure_scratch()
    assert stops == ["it maps a file that has no name any more, whose size cannot be seen"]

"""Looks at a run's scratch folder that the run disturbs (`engine/shim/watch.py`)."""

from __future__ import annotations

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

"""Every door holds: its seeds, and a short while of new cases. `make fuzz` takes ten minutes."""

from __future__ import annotations

import pytest

from fuzz.harness import DOORS, run

#: The same in every test run; new ones are for `make fuzz`.
SEED = "tests"
CASES = {"worker_frames": 60, "http_requests": 100, "project_files": 40}


@pytest.mark.parametrize("door", DOORS)
def test_a_door_holds(door: str) -> None:
    cases = CASES.get(door, 150)
    report = run(door, SEED, cases=cases)
    assert report.cases >= cases

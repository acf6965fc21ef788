"""Every door holds: its seeds, and a short while of new cases. `make fuzz` takes ten minutes."""

from __future__ import annotations

import pytest

from fuzz import harness
from fuzz.harness import DOORS, Report, run

#: The same in every test run; new ones are for `make fuzz`.
SEED = "tests"
CASES = {"worker_frames": 60, "http_requests": 100, "project_files": 40}


@pytest.mark.parametrize("door", DOORS)
def test_a_door_holds(door: str) -> None:
    cases = CASES.get(door, 150)
    report = run(door, SEED, cases=cases)
    assert report.cases >= cases


def test_the_first_of_two_limits_ends_a_door() -> None:
    assert run("journals", SEED, cases=10**9, seconds=0).cases == len(harness.kept("journals"))


def test_an_interrupted_door_says_how_far_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(report: Report) -> None:
        told.append(report)
        if len(told) == 3:
            raise KeyboardInterrupt

    told: list[Report] = []
    monkeypatch.setattr(harness, "TELL_SECONDS", 0)
    report = run("journals", SEED, cases=10**9, tell=interrupt)
    assert report.stopped
    assert [one.cases for one in told] == [report.cases - 2, report.cases - 1, report.cases]

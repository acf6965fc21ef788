"""A wrong key or refused joins never empty the platform's queue."""

from __future__ import annotations

import pytest

from holdfast.worker.agent.trust import MOST, UNPROVEN, Trust


def touched(trust: Trust, seconds: float, *, for_good: bool) -> int:
    """Runs that are claimed in this time where each fails half a second later."""
    now, claimed, failing = 0.0, 0, dict[str, float]()
    while now < seconds:
        for run_id, due in list(failing.items()):
            if due <= now:
                del failing[run_id]
                trust.failed(run_id, "the key is wrong", now, for_good=for_good)
        if trust.blocked(now) is None:
            claimed += 1
            trust.claimed(f"{claimed}")
            failing[f"{claimed}"] = now + 0.5
        now += 0.1
    return claimed


@pytest.mark.parametrize("for_good", [True, False])
def test_three_runs_are_touched_and_then_none(for_good: bool) -> None:
    trust = Trust()
    assert touched(trust, 300, for_good=for_good) == MOST == 3
    assert trust.reason == "the key is wrong"


def test_platform_that_refused_joins_is_tried_again_now_and_then() -> None:
    assert touched(Trust(), 3600, for_good=False) in range(4, 10)
    assert touched(Trust(), 3600, for_good=True) == MOST


def test_run_that_works_makes_everything_good() -> None:
    trust = Trust()
    for name in "ab":
        trust.claimed(name)
    trust.failed("a", "refused", 0.0, for_good=False)
    assert trust.blocked(1.0) == "refused"
    trust.worked("b")
    assert trust.blocked(1.0) is None
    assert trust.reason is None


def test_runs_that_are_not_joined_yet_are_few() -> None:
    trust = Trust()
    for name in "abc":
        assert trust.blocked(0.0) is None
        trust.claimed(name)
    assert trust.blocked(0.0) == UNPROVEN
    trust.gone("a")
    assert trust.blocked(0.0) is None

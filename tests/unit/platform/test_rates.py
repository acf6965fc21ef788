"""How often somebody may ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.platform.access.rates import MOST, Limiter, Rate, Rates
from holdfast.platform.settings import Settings


def test_a_burst_then_the_rate() -> None:
    limiter = Limiter(Rate(0.5, 3))
    assert [limiter.take("a", 100.0) for _ in range(4)] == [0, 0, 0, 2]
    assert limiter.take("b", 100.0) == 0, "others are not concerned"
    assert limiter.take("a", 101.0) == 1
    assert limiter.take("a", 102.0) == 0
    assert limiter.wait("a", 102.0) == 2
    assert [limiter.take("a", 10_000.0) for _ in range(4)] == [0, 0, 0, 2], "never above the burst"


def test_waiting_takes_nothing() -> None:
    limiter = Limiter(Rate(1.0, 1))
    assert [limiter.wait("a", 5.0) for _ in range(3)] == [0, 0, 0]
    assert limiter.take("a", 5.0) == 0
    assert limiter.wait("a", 5.0) == 1


def test_a_clock_that_goes_back_gives_nothing() -> None:
    limiter = Limiter(Rate(1.0, 1))
    assert limiter.take("a", 5.0) == 0
    assert limiter.take("a", 1.0) == 1


def test_memory_is_bounded() -> None:
    limiter = Limiter(Rate(0.001, 1))
    for number in range(MOST + 10):
        limiter.take(str(number), 1.0)
    assert limiter.take(str(MOST), 1.0) > 0
    assert limiter.take("0", 1.0) == 0, "the oldest was forgotten"


@pytest.mark.parametrize("parts", [2, 4, 7])
def test_guesses_at_several_processes_are_about_as_many_as_at_one(parts: int) -> None:
    alone = Rates.of(Settings(Path("/data")))
    each = Rates.of(Settings(Path("/data"), part=0, parts=parts))
    for name in ("guesses", "logins", "addresses"):
        one, share = getattr(alone, name).rate, getattr(each, name).rate
        assert one.burst <= share.burst * parts, name
        assert share.burst < max(one.burst / parts + 1, 4), "three at least"
        assert share.each_second * parts == pytest.approx(one.each_second), name
    assert each.requests.rate == alone.requests.rate

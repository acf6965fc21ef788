"""How often somebody may ask."""

from __future__ import annotations

from holdfast.platform.access.rates import MOST, Limiter, Rate


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

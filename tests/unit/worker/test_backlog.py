"""Ended runs that wait keep a worker from claiming only where the platform takes no results."""

from __future__ import annotations

from holdfast.worker.agent.backlog import Backlog


def reached(*, found: bool = False) -> Backlog:
    backlog = Backlog(3)
    for name in "abc":
        assert not backlog.full(0.0)
        backlog.ended(name, found=found)
    assert backlog.full(0.0)
    return backlog


def test_a_run_that_is_delivered_makes_room() -> None:
    backlog = reached()
    backlog.gone("a", delivered=True)
    assert not backlog.full(0.0)


def test_runs_that_were_overtaken_count_no_more() -> None:
    backlog = reached()
    assert backlog.full(0.9)
    assert not backlog.full(1.0), "one may come, to see what happens to it"
    backlog.claimed(5.0)
    assert backlog.full(5.0)
    backlog.ended("d")
    backlog.gone("d", delivered=True)
    assert backlog.waiting == 0
    for name in "abc":
        backlog.ended(name)  # tried again, in vain
    assert not backlog.full(5.0)


def test_runs_found_at_the_start_are_overtaken_by_any_new_one() -> None:
    backlog = reached(found=True)
    backlog.gone("a", delivered=True)  # which says nothing of the others: nobody knows their order
    assert backlog.waiting == 2
    backlog.ended("d")
    backlog.gone("d", delivered=True)
    assert backlog.waiting == 0


def test_a_platform_that_takes_nothing_is_asked_less_and_less() -> None:
    backlog, now, claims = reached(), 0.0, 0
    while now < 3600:
        if not backlog.full(now):
            claims += 1
            backlog.claimed(now)
            backlog.ended(f"probe {claims}")
        now += 1.0
    assert 10 < claims < 30


def test_a_slow_platform_that_delivers_in_order_is_not_hurried() -> None:
    backlog = reached()
    backlog.ended("d")
    backlog.gone("a", delivered=True)
    assert backlog.waiting == 3
    assert backlog.full(0.0)


def test_a_run_that_is_given_up_proves_nothing() -> None:
    backlog = reached()
    backlog.ended("d")
    backlog.gone("d", delivered=False)
    assert backlog.full(0.0)

"""Long work gets less of the writer the longer others wait, and never nothing."""

from __future__ import annotations

import pytest

from holdfast.platform.store.pace import Pace


def waits(pace: Pace, *waited: float, took: float = 0.001) -> None:
    """Commits of others, one every ten milliseconds from second 100 on."""
    for number, one in enumerate(waited):
        pace.served(100 + number / 100, one, took)


def test_alone_it_has_all_of_the_writer_in_whole_steps() -> None:
    pace = Pace()
    pace.stepped(1, 5.0)
    assert pace.rest(1, 1, others_wait=False) == 0
    assert pace.step(1000, 1) == 1000


def test_share_and_steps_shrink_while_others_wait_too_long_and_grow_again() -> None:
    pace = Pace()
    waits(pace, 0.02)
    assert (pace.share, pace.step(1000, 100)) == (0.5, 500)
    waits(pace, *[0.02] * 20)
    assert (pace.share, pace.step(1000, 100), pace.step(1, 100)) == (0.05, 200, 1)
    waits(pace, *[0.001] * 50)
    assert pace.share == pytest.approx(0.55)
    waits(pace, *[0.001] * 50)
    assert pace.share == 1


def test_a_slow_disk_is_no_reason_and_a_commit_that_takes_longer_than_others_is() -> None:
    pace = Pace()
    waits(pace, *[0.05] * 5, took=0.03)
    assert pace.share == 1
    waits(pace, 0.0, took=0.1)
    assert pace.share == 0.5, "the processor or the disk is busy"


def test_a_step_is_followed_by_a_rest_that_leaves_others_their_share() -> None:
    pace = Pace()
    waits(pace, 0.02, 0.02)
    pace.stepped(100.02, 0.01)
    assert pace.rest(100.02, 100, others_wait=False) == pytest.approx(0.03)
    assert pace.rest(100.06, 100, others_wait=False) == 0
    assert pace.rest(100.06, 100, others_wait=True) == pytest.approx(0.04), "they go before it"
    assert pace.rest(100.10, 100, others_wait=True) == 0, "but not for ever"


def test_a_step_that_has_just_come_lets_those_who_wait_go_first() -> None:
    assert Pace().rest(100, 100, others_wait=True) == pytest.approx(0.05)
    assert Pace().rest(100, 100, others_wait=False) == 0


def test_nobody_rests_for_others_who_are_gone() -> None:
    pace = Pace()
    waits(pace, *[0.02] * 10)
    pace.stepped(100.1, 10.0)
    assert pace.rest(100.1, 100, others_wait=False) < 0.25
    assert pace.rest(100.5, 100, others_wait=False) == 0
    assert pace.step(1000, 100.5) == 1000

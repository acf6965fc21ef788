"""Where a run that computes for long is held."""

from __future__ import annotations

from holdfast.sandbox.processors import Counters, Look, place

FREE: frozenset[int] = frozenset()


def look(*idle: float, used: float = 1.0, waited: float = 0.0, last: int = 0) -> Look:
    return Look(used, waited, last, dict(enumerate(idle)))


def test_a_run_that_computes_is_held_where_it_is() -> None:
    assert place(look(0.1, 0.9, last=0), FREE, coin=True) == {0}
    assert place(look(0.1, 0.9, last=1), FREE, coin=False) == {1}


def test_a_run_that_waits_for_others_is_not() -> None:
    assert place(look(0.9, 0.9, used=0.2), FREE, coin=True) == FREE


def test_it_stays_while_it_has_its_processor() -> None:
    assert place(look(0.0, 1.0), frozenset({0}), coin=True) == {0}
    assert place(look(0.5, 1.0, used=0.1), frozenset({0}), coin=True) == {0}


def test_it_moves_away_from_a_crowd_if_the_coin_says_so() -> None:
    crowded = look(0.0, 0.9, used=0.5, waited=0.5)
    assert place(crowded, frozenset({0}), coin=True) == {1}
    assert place(crowded, frozenset({0}), coin=False) == {0}


def test_it_is_let_go_when_it_waits_and_no_other_has_room() -> None:
    assert place(look(0.0, 0.4, waited=0.6), frozenset({0}), coin=True) == FREE


def test_where_all_is_taken_the_kernel_shares() -> None:
    assert place(look(0.0, 0.1, waited=0.6), frozenset({0}), coin=False) == FREE
    assert place(look(0.0, 0.1), FREE, coin=True) == FREE


def test_larger_machines_give_it_a_quarter() -> None:
    idle = [0.0, 0.2, 0.9, 0.4, 0.1, 0.8, 0.3, 0.5]
    assert place(look(*idle, last=4), FREE, coin=True) == {4, 2}
    assert place(look(*idle, waited=0.5), frozenset({0, 4}), coin=True) == {2, 5}


def test_a_processor_may_come_and_go_between_two_looks() -> None:
    before = Counters(1.0, 0.0, 0.0, 0, {0: 5.0, 1: 3.0})
    now = Counters(3.0, 1.0, 0.5, 2, {0: 6.0, 2: 100.0})
    assert now.since(before) == Look(0.5, 0.25, 2, {0: 0.5})


def test_one_processor_is_nothing_to_choose_from() -> None:
    assert place(look(0.0), FREE, coin=True) == FREE

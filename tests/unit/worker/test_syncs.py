"""Several syncs at the same time: all are done, and an error is told."""

from __future__ import annotations

import threading

import pytest

from holdfast.worker.syncs import together


def test_they_are_done_at_the_same_time() -> None:
    met = threading.Barrier(3, timeout=10)
    together(met.wait, met.wait, met.wait)


@pytest.mark.parametrize("bad", range(3))
def test_all_are_done_also_where_one_fails(bad: int) -> None:
    done: list[int] = []

    def one(number: int) -> None:
        done.append(number)
        if number == bad:
            raise OSError(number)

    with pytest.raises(OSError, match=str(bad)):
        together(*(lambda number=number: one(number) for number in range(3)))
    assert sorted(done) == [0, 1, 2]

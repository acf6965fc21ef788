"""A week of a workflow: what succeeded, and what runs took."""

from __future__ import annotations

import pytest

from holdfast.platform.store.health import Span
from holdfast.platform.web.health import week


def test_success_is_a_share_of_the_work_orders_that_have_ended() -> None:
    found = week(Span(["success", "failed", "running", "pending", "success", "lost"]))
    assert (found.orders, found.success, found.more) == (6, 0.5, False)
    assert week(Span(["pending"])).success is None
    assert week(Span(["success"], more=True)).more


@pytest.mark.parametrize(
    ("values", "half", "most"),
    [
        ([7], 7, 7),
        ([1, 2], 1, 2),
        ([3, 1, 2], 2, 3),
        (list(range(1, 101)), 50, 95),
        (list(range(1, 21)), 10, 19),
        ([], None, None),
    ],
)
def test_so_many_of_a_hundred_take_no_more(
    values: list[int], half: int | None, most: int | None
) -> None:
    found = week(Span(durations=values, memory=values))
    ms = [None if took is None else took // 1000 for took in (found.half, found.most)]
    assert (*ms, found.memory) == (half, most, most)

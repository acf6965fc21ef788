"""Work beside the runs waits for them, but not for ever."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.worker import idle as module
from holdfast.worker.idle import Idle


def waiting(idle: Idle, done: list[int], count: int) -> list[asyncio.Task[None]]:
    async def one(number: int) -> None:
        await idle.turn()
        done.append(number)

    return [asyncio.create_task(one(number)) for number in range(count)]


async def test_nobody_waits_while_nothing_is_to_be_done() -> None:
    done: list[int] = []
    await asyncio.gather(*waiting(Idle(lambda: False), done, 3))
    assert done == [0, 1, 2]


async def test_all_wait_while_a_run_needs_the_worker_and_go_in_order() -> None:
    busy, done = [True], list[int]()
    tasks = waiting(Idle(lambda: bool(busy)), done, 3)
    await asyncio.sleep(0.05)
    assert done == []
    busy.clear()
    await asyncio.gather(*tasks)
    assert done == [0, 1, 2]


async def test_who_has_waited_enough_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SECONDS", 0.03)
    done: list[int] = []
    await asyncio.gather(*waiting(Idle(lambda: True), done, 2))
    assert done == [0, 1]


async def test_at_the_end_nobody_waits_any_longer() -> None:
    done: list[int] = []
    idle = Idle(lambda: True)
    tasks = waiting(idle, done, 2)
    await asyncio.sleep(0)
    idle.hurry()
    await asyncio.gather(*tasks, *waiting(idle, done, 1))
    assert sorted(done) == [0, 0, 1]

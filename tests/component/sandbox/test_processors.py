"""Holding a real process with its threads."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.sandbox.processors import Confinement, Look
from support.waiting import eventually

BUSY = """
import threading, time
threading.Thread(target=time.sleep, args=(100,)).start()
while True:
    pass
"""


@pytest.fixture
def busy() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", BUSY]) as process:
        yield process.pid
        process.kill()


def affinities(pid: int) -> list[set[int]]:
    return [os.sched_getaffinity(int(task.name)) for task in Path(f"/proc/{pid}/task").iterdir()]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one processor is no choice")
def test_all_threads_are_held_and_let_go(busy: int) -> None:
    allowed = os.sched_getaffinity(0)
    looks: list[Look] = []
    wanted = [frozenset({max(allowed)})]

    def rule(look: Look, held: frozenset[int], *, coin: bool) -> frozenset[int]:
        looks.append(look)
        assert coin in {True, False}
        return wanted[0]

    asked: list[bool] = []

    def let_others_first(pid: int, yes: bool) -> bool:
        assert pid == busy
        asked.append(yes)
        return len(asked) > 1  # one that failed is tried again

    confinement = Confinement(busy, let_others_first, rule)
    confinement.look()
    assert not looks, "what has computed for less than a second may do so anywhere"

    def held(at: set[int]) -> bool:
        confinement.look()
        found = affinities(busy)
        return len(found) == 2 and all(item == at for item in found)

    eventually(lambda: held({max(allowed)}) and len(asked) > 1, "every thread is held")
    look = looks[-1]
    assert look.idle.keys() == allowed
    assert look.last in allowed
    assert look.used >= 0
    wanted[0] = frozenset()
    eventually(lambda: held(allowed), "every thread is let go")
    assert asked == [True, True, False]


def test_a_process_that_is_gone_is_no_trouble(busy: int) -> None:
    confinement = Confinement(busy, lambda _pid, _yes: True)
    os.kill(busy, 9)
    os.waitpid(busy, 0)
    confinement.look()
    assert not confinement.held

"""What a worker waits for before its first claim."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from holdfast.worker.agent import firstprocess
from holdfast.worker.agent.firstprocess import READY_VARIABLE, FirstProcess


async def _waited(first: FirstProcess) -> None:
    over = asyncio.Event()
    first.watch(over.set)
    assert first.waits
    await asyncio.wait_for(over.wait(), 30)
    assert not first.waits


async def test_it_waits_until_the_engine_tells() -> None:
    told, tell = os.pipe()
    first = FirstProcess({READY_VARIABLE: str(told)})
    os.write(tell, b"1")
    await _waited(first)
    os.close(tell)


async def test_it_does_not_wait_for_an_engine_that_is_gone() -> None:
    told, tell = os.pipe()
    os.close(tell)
    await _waited(FirstProcess({READY_VARIABLE: str(told)}))


async def test_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firstprocess, "WAIT_SECONDS", 0.01)
    told, tell = os.pipe()
    await _waited(FirstProcess({READY_VARIABLE: str(told)}))
    os.close(tell)


@pytest.mark.parametrize("value", [None, "no number", "0", "12345", "9" * 30])
def test_without_an_engine_that_tells_nothing_is_waited_for(value: str | None) -> None:
    """Nor is a descriptor taken that is somebody else's."""
    with Path("/dev/null").open() as other:
        environment = {} if value is None else {READY_VARIABLE: value}
        if value == "0":
            environment[READY_VARIABLE] = str(other.fileno())
        assert not FirstProcess(environment).waits

"""Waiting for a condition with a deadline, never for luck: the one way of all tests.

`eventually` waits in a thread, `until` in a coroutine, `finish` for a coroutine that a fixture or
a test without a loop needs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")
Probe = Callable[[], T | Awaitable[T | None] | None]
_PAUSE_SECONDS = 0.02
#: What is told when the deadline passes: a text, or what makes one at that time.
Told = str | Callable[[], str]


def eventually(probe: Callable[[], T | None], what: Told, seconds: float = 30.0) -> T:
    """The first truthy value of `probe`. AssertionError with `what` after the deadline."""
    for _ in _tries(what, seconds):
        if value := probe():
            return value
        time.sleep(_PAUSE_SECONDS)
    raise AssertionError  # not reached: the tries end with an error


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a loop of its own, and give its result."""
    return asyncio.run(work)


async def until(probe: Probe[T], what: Told = "what was waited for", seconds: float = 30.0) -> T:
    """The same in a coroutine: others run meanwhile, and `probe` may be one itself."""
    for _ in _tries(what, seconds):
        value = probe()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        await asyncio.sleep(_PAUSE_SECONDS)
    raise AssertionError  # not reached: the tries end with an error


def _tries(what: Told, seconds: float) -> Iterator[None]:
    """One for each look. Raises AssertionError after the deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() <= deadline:
        yield
    message = f"not within {seconds:g} s: {what() if callable(what) else what}"
    raise AssertionError(message)

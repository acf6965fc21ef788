"""Pieces of work for the writer, and how those who wait for them are told.

Work of one kind that waits together may be done in one call, which costs less than a call for
each. An event loop is woken once for all that a commit has done for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Work:
    """One piece. `run` gets the transaction and the items of all pieces that are done with it."""

    run: Callable[[Any, list[Any]], Sequence[Any]]
    future: Future[Any] | asyncio.Future[Any]
    item: Any = None
    #: Pieces with the same `run` may be done together.
    shared: bool = False
    #: A step of something long: it waits for what is not, and is a commit of its own.
    heavy: bool = False
    #: It takes a lock that other processes wait for until the commit: done after all others.
    locks: bool = False
    #: It is given the engine, between two transactions.
    bare: bool = False
    #: When it began to wait, seconds.
    since: float = 0.0

    def begin(self) -> bool:
        """Whether it is to be done still."""
        if isinstance(self.future, asyncio.Future):
            return True  # whoever waits may be gone; what was asked is done
        return self.future.set_running_or_notify_cancel()


@dataclass(slots=True)
class Outcome:
    """What became of a piece."""

    work: Work
    result: Any = None
    error: BaseException | None = None

    def tell(self) -> None:
        future = self.work.future
        if isinstance(future, asyncio.Future) and future.done():
            return  # cancelled with its loop
        if self.error is None:
            future.set_result(self.result)
        else:
            future.set_exception(self.error)


def batches(group: Iterable[Work]) -> list[list[Work]]:
    """What is to be done in one call, in the order of coming; shared work where its first is.

    What locks comes last.
    """
    found: dict[Any, list[Work]] = {}
    for work in group:
        found.setdefault(work.run if work.shared else id(work), []).append(work)
    return sorted(found.values(), key=lambda batch: batch[0].locks)


def settle(outcomes: Iterable[Outcome]) -> None:
    """Tell all who wait, those of one event loop in one call."""
    of_loops: dict[asyncio.AbstractEventLoop, list[Outcome]] = {}
    for outcome in outcomes:
        future = outcome.work.future
        if isinstance(future, asyncio.Future):
            of_loops.setdefault(future.get_loop(), []).append(outcome)
        else:
            outcome.tell()
    for loop, some in of_loops.items():
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_tell, some)


def _tell(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        outcome.tell()

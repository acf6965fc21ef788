"""A lock that tasks, processes, and children of killed processes respect."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

_FIRST_WAIT_SECONDS = 0.02
_LONGEST_WAIT_SECONDS = 0.5


@asynccontextmanager
async def exclusive(
    path: Path, *, on_wait: Callable[[], None] | None = None
) -> AsyncIterator[int]:
    """Hold the lock file at `path`; its descriptor is given, to be inherited by a child.

    Every caller opens the file for itself, so that two tasks exclude each other as two
    processes do. Waiting polls: a thread in flock() could not be cancelled. `on_wait` is called
    once when somebody else has the lock. Raises OSError.
    """
    descriptor = _open(path)
    try:
        wait = _FIRST_WAIT_SECONDS
        while not _try(descriptor):
            if on_wait is not None:
                on_wait()
                on_wait = None
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT_SECONDS)
        yield descriptor
    finally:
        # Closing frees the lock, unless a child of ours still holds the same open file.
        os.close(descriptor)


@contextmanager
def if_free(path: Path) -> Iterator[bool]:
    """Take the lock at `path` if it is free; gives whether it was. Raises OSError."""
    descriptor = _open(path)
    try:
        yield _try(descriptor)
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

"""Work on large documents beside the event loop, which is to hold nobody up for 5 ms."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
#: Bytes from which work with a document is worth the way to another thread.
_LARGE = 65_536


async def apart(work: Callable[[bytes], T], data: bytes) -> T:
    """What `work` makes of the data; in another thread where it may take long."""
    if len(data) < _LARGE:
        return work(data)
    return await asyncio.to_thread(work, data)

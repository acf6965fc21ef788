"""Several syncs of the disk at the same time, which it brings about with one effort.

A file system writes its log once for all that wait for it: four syncs one after the other take
four times as long as four at once.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

_POOL = ThreadPoolExecutor(8, "holdfast-sync")


def together(*syncs: Callable[[], object]) -> None:
    """Do them all; returns when all are done, also when one fails. Raises the first error."""
    first, *others = syncs
    waiting = [_POOL.submit(sync) for sync in others]
    try:
        first()
    finally:
        wait(waiting)
    for one in waiting:
        one.result()

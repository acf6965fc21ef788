"""How much memory the runs of this worker use now, and the processes that wait for one.

A shim holds the lock of its run, and the kernel says which process holds it. So nothing has to be
told, and a run that was found after a restart is seen like any other.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from holdfast.sandbox import processes

_LOCKS = Path("/proc/locks")


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes. `runs`: by the run's id; runs whose processes have ended are left out."""

    runs: Mapping[str, int]
    standby: int


def look(locks: Mapping[str, Path], supervisor: int) -> Usage:
    """`locks`: the lock of each run, by its id. `supervisor`: parent of all shims."""
    holders = _holders()
    shims = {run: holders.get(_inode(path)) for run, path in locks.items()}
    runs = {run: _memory(pid) for run, pid in shims.items() if pid is not None}
    others = set(processes.children(supervisor)) - {os.getpid(), *shims.values()}
    # Of those only standby shims have processes of their own.
    return Usage({run: used for run, used in runs.items() if used}, sum(map(_memory, others)))


def _memory(shim: int) -> int:
    """Of the processes that a shim has started."""
    return sum(map(processes.resident_bytes, processes.family(processes.children(shim))))


def _holders() -> dict[int, int]:
    """Who holds a lock on a whole file, by the file's number."""
    found: dict[int, int] = {}
    try:
        lines = _LOCKS.read_text().splitlines()
    except OSError:  # hidden from us
        return found
    for line in lines:
        words = line.split()
        if words[1:2] == ["FLOCK"]:  # "->" stands there for one that only waits
            found[int(words[5].rpartition(":")[2])] = int(words[4])
    return found


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:  # put away meanwhile
        return 0

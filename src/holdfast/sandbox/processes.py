"""Looking at processes through /proc, and ending whole families of them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

#: Lines of /proc/PID/status that are memory, with the kilobytes that one of them stands for.
_PAGES = {b"RssAnon:": 1, b"RssShmem:": 1, b"VmSwap:": 1, b"HugetlbPages:": 1}
#: What the kernel itself keeps for a process. A page that was only read is nobody's memory, but
#: its place in a page table is. A thread has a stack of 16 KB there, and its records.
_KERNELS = {b"VmPTE:": 1, b"Threads:": 24}
#: Lines of /proc/PID/smaps_rollup: the same pages by their share.
_SHARES = dict.fromkeys(
    (b"Pss_Anon:", b"Pss_Shmem:", b"SwapPss:", b"Shared_Hugetlb:", b"Private_Hugetlb:"), 1
)


def children(pid: int) -> list[int]:
    """Children of a process, all threads of it included; [] when it is gone."""
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - often, and thrice as fast
            found += map(int, _read(f"/proc/{pid}/task/{task}/children").split())
    except (OSError, ValueError):
        pass
    return found


def _read(path: str) -> bytes:
    text = b""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while piece := os.read(file, 65536):  # a long list comes in pages
            text += piece
    finally:
        os.close(file)
    return text


def family(roots: list[int]) -> list[int]:
    """These processes and all their descendants."""
    found: dict[int, None] = {}
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found[pid] = None
            waiting += children(pid)
    return list(found)


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot: with the pid it names a process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name in brackets may hold anything, so count from its end.
    return int(text.rpartition(")")[2].split()[19])


def is_computing(pid: int) -> bool | None:
    """Whether a process' first thread is on a processor or waits for one; None when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()[0] == "R"


def cpu_ms(pid: int) -> int:
    """Processor time of a process and all its threads, to the moment; 0 when it is gone."""
    clock = ~pid << 3 | 2  # CPUCLOCK_SCHED of a process, as the kernel's ABI numbers it
    try:
        return round(time.clock_gettime(clock) * 1000)
    except OSError:
        return 0


def is_alive(pid: int, started: int | None) -> bool:
    """Whether this very process still exists (not another one that got its number)."""
    found = start_time(pid)
    return found is not None and (started is None or found == started)


def resident_bytes(pid: int) -> int:
    """Anonymous and shared memory, whoever else has it too, with what the kernel keeps for it.

    0 when it is gone. Cheap (no page table walk), and never less than `proportional_bytes`.
    """
    return _kilobytes(f"/proc/{pid}/status", _PAGES | _KERNELS) or 0


def proportional_bytes(pid: int) -> int | None:
    """The same, each page counted by its share of those who have it.

    None when the kernel will not tell. Costs a walk through the page table.
    """
    pages = _kilobytes(f"/proc/{pid}/smaps_rollup", _SHARES)
    kernels = _kilobytes(f"/proc/{pid}/status", _KERNELS)
    if not pages or kernels is None:
        return None
    # swapped shared memory has no share of its own: it is what is swapped beyond anonymous memory
    swapped = _kilobytes(f"/proc/{pid}/smaps_rollup", {b"Swap:": 1}) or 0
    anonymous = _kilobytes(f"/proc/{pid}/status", {b"VmSwap:": 1}) or 0
    return pages + kernels + max(0, swapped - anonymous)


def swap_in_use() -> bool:
    """Whether this machine has swapped anything out."""
    total, free = (
        _kilobytes("/proc/meminfo", {name: 1}) or 0 for name in (b"SwapTotal:", b"SwapFree:")
    )
    return total > free


def threads(pid: int) -> int:
    """How many threads a process has; 0 when it is gone."""
    try:
        return os.stat(f"/proc/{pid}/task").st_nlink - 2  # noqa: PTH116 - often
    except OSError:
        return 0


def _kilobytes(path: str, weights: Mapping[bytes, int]) -> int | None:
    """The sum of these lines of a file in /proc, in bytes; None when it cannot be read."""
    try:
        rows = [row.split() for row in _read(path).splitlines()]
        found = [int(row[1]) * weights[row[0]] for row in rows if row and row[0] in weights]
    except (OSError, ValueError):
        return None
    return sum(found) * 1024


def kill_family(roots: list[int], deadline_seconds: float = 2.0) -> None:
    """SIGKILL these processes and their descendants, also ones born meanwhile."""
    end = time.monotonic() + deadline_seconds
    # Whoever was seen once is remembered: its parent may be gone before it is.
    known: dict[int, int | None] = {}
    while time.monotonic() < end:
        for pid in family(roots):
            known.setdefault(pid, start_time(pid))
        alive = [pid for pid, started in known.items() if _runs(pid, started)]
        if not alive:
            return
        for pid in alive:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            except PermissionError:
                return  # not ours: only a namespace's or group's own end can reach it
        time.sleep(0.002)


def _runs(pid: int, started: int | None) -> bool:
    return is_alive(pid, started) and _state(pid) not in (None, "Z", "X")


def _state(pid: int) -> str | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()[0]


@cache
def boot_id() -> str:
    """Names this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()

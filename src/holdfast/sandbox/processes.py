"""Looking at processes through /proc, and ending whole families of them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from holdfast.sandbox import kernel

#: Lines of /proc/PID/status that are memory, with the kilobytes that one of them stands for.
_PAGES = {b"RssAnon:": 1, b"RssShmem:": 1, b"VmSwap:": 1, b"HugetlbPages:": 1}
#: What the kernel itself keeps for a process. A page that was only read is nobody's memory, but
#: its place in a page table is. A thread has a stack of 16 KB there, and its records.
_KERNELS = {b"VmPTE:": 1, b"Threads:": 24}
#: Lines of /proc/PID/smaps_rollup: the same pages by their share.
_SHARES = dict.fromkeys(
    (b"Pss_Anon:", b"Pss_Shmem:", b"SwapPss:", b"Shared_Hugetlb:", b"Private_Hugetlb:"), 1
)
#: A line that stands there only for a thread that has not ended.
_LIVING = {"status": b"\nVmPTE:", "smaps_rollup": b"\nPss:", "maps": b"\n"}
#: Where fields stand in /proc/PID/stat, counted from behind the name.
_STATE, _THREADS, _STARTED = 0, 17, 19
_KCMP_FILES = 2


def children(pid: int) -> list[int]:
    """Children of a process, all threads of it included; [] when it is gone."""
    found: list[int] = []
    for task in _tasks(pid):  # one of them may end meanwhile
        found += map(int, _text(f"/proc/{pid}/task/{task}/children").split())
    return found


def _tasks(pid: int) -> list[str]:
    """Its threads; [] when it is gone."""
    try:
        return os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - often, and thrice as fast
    except OSError:
        return []


def _text(path: str) -> bytes:
    """A file in /proc; nothing where it cannot be read."""
    pieces: list[bytes] = []
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        while piece := os.read(file, 65536):  # a long list comes in pages
            pieces.append(piece)
    except OSError:  # it ended meanwhile
        return b""
    finally:
        os.close(file)
    return b"".join(pieces)


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
    fields = _fields(pid)
    return int(fields[_STARTED]) if fields else None


def is_computing(pid: int) -> bool | None:
    """Whether a process' first thread is on a processor or waits for one; None when it is gone."""
    fields = _fields(pid)
    return fields[_STATE] == b"R" if fields else None


def _fields(pid: int) -> list[bytes]:
    """What stands in /proc/PID/stat behind the name; nothing when the process is gone."""
    return _text(f"/proc/{pid}/stat").rpartition(b")")[2].split()  # a name may hold anything


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
    return _kilobytes(_told(pid, "status"), _PAGES | _KERNELS) * 1024


def proportional_bytes(pid: int) -> int | None:
    """The same, each page counted by its share of those who have it.

    None when the kernel will not tell. Costs a walk through the page table.
    """
    shares, status = _told(pid, "smaps_rollup"), _told(pid, "status")
    return share(shares, status) if shares and status else None


def share(shares: bytes, status: bytes) -> int:
    """`proportional_bytes` from the texts of `smaps_rollup` and `status`."""
    # Swapped shared memory has no share of its own: it is what is swapped beyond anonymous memory.
    swapped = _kilobytes(shares, {b"Swap:": 1}) - _kilobytes(status, {b"VmSwap:": 1})
    return (_kilobytes(shares, _SHARES) + _kilobytes(status, _KERNELS) + max(0, swapped)) * 1024


def _told(pid: int, name: str) -> bytes:
    """A file in /proc about the memory of a process; nothing when it is gone.

    It says nothing of a process whose first thread has ended before the others: they are asked.
    """
    text = _text(f"/proc/{pid}/{name}")
    if _LIVING[name] not in text:
        for task in _tasks(pid):
            other = _text(f"/proc/{pid}/task/{task}/{name}")
            if _LIVING[name] in other:
                return other
    return text


def mappings(pid: int) -> bytes:
    """What it has in its memory, as in /proc/PID/maps; nothing when it is gone."""
    return _told(pid, "maps")


def swap_in_use() -> bool:
    """Whether this machine has swapped anything out."""
    text = _text("/proc/meminfo")
    return _kilobytes(text, {b"SwapTotal:": 1}) > _kilobytes(text, {b"SwapFree:": 1})


def descriptors(pid: int) -> list[str]:
    """Paths in /proc of its open files; [] when it is gone. What threads share stands once."""
    found: list[str] = []
    looked = 0  # the last thread whose files were listed
    for task in map(int, _tasks(pid)):
        if looked and _share_files(looked, task):
            continue
        folder = f"/proc/{pid}/task/{task}/fd"
        try:
            names = os.listdir(folder)  # noqa: PTH208 - often
        except OSError:  # it ended meanwhile
            continue
        if names:
            looked = task
            found += [f"{folder}/{name}" for name in names]
    return found


def _share_files(one: int, other: int) -> bool:
    """Whether two threads have one table of open files; False where the kernel does not say."""
    try:
        return kernel.syscall("kcmp", one, other, _KCMP_FILES, 0, 0) == 0
    except OSError:
        return False


def threads(pid: int) -> int:
    """How many threads a process has; 0 when it is gone."""
    try:
        return os.stat(f"/proc/{pid}/task").st_nlink - 2  # noqa: PTH116 - often
    except OSError:
        return 0


def _kilobytes(text: bytes, weights: Mapping[bytes, int]) -> int:
    """The sum of these lines of a file in /proc."""
    rows = [row.split() for row in text.splitlines()]
    return sum(int(row[1]) * weights[row[0]] for row in rows if row and row[0] in weights)


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
    """Whether it still does anything. Its first thread may have ended before the others."""
    fields = _fields(pid)
    if not fields or (started is not None and int(fields[_STARTED]) != started):
        return False
    return fields[_STATE] not in (b"Z", b"X") or int(fields[_THREADS]) > 1


@cache
def boot_id() -> str:
    """Names this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()

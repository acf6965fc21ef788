"""Control groups of the Linux kernel, both versions: making, reading, ending them."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from pathlib import Path

from holdfast.sandbox import processes
from holdfast.sandbox.groups import Group

#: The beginning of our groups' names. Each run's group is a child of the group that we were
#: started in. With a common group around all runs, a single low-priority run would get the weight
#: of all of them.
PREFIX = "holdfast-"
#: CPU weight of a run, see `weigh`.
RUN_WEIGHT = 200


@functools.cache
def _namespace() -> str:
    """The number of this process namespace; 0 where the kernel tells none."""
    try:
        return "".join(filter(str.isdigit, str(Path("/proc/self/ns/pid").readlink())))
    except OSError:
        return "0"


def group_name(name: str) -> str:
    """The folder of a group `name`, which ends with its maker's pid.

    Workers in process namespaces of their own have the same pids, and may see each other's groups.
    """
    return f"{PREFIX}{_namespace()}-{name}"


class Cgroup(Group):
    """What both versions of control groups share: a folder per controller."""

    #: The file that lists threads.
    _threads = "tasks"

    def __init__(self, folders: dict[str, Path]) -> None:
        self._folders = folders
        self._memory = folders["memory"]
        self._limits_processes = False

    @property
    def name(self) -> str | None:
        return ":".join(str(folder) for folder in dict.fromkeys(self._folders.values()))

    @property
    def weighs_cpu(self) -> bool:
        return "cpu" in self._folders

    def join(self) -> None:
        for folder in dict.fromkeys(self._folders.values()):
            (folder / "cgroup.procs").write_text("0")

    def take(self, pid: int) -> None:
        for folder in dict.fromkeys(self._folders.values()):
            (folder / "cgroup.procs").write_text(str(pid))

    def limit_processes(self, count: int) -> bool:
        folder = self._folders.get("pids")
        if folder is None:
            return False
        try:
            (folder / "pids.max").write_text(str(count))
        except OSError:
            return False
        self._limits_processes = True
        return True

    def threads(self, most: int) -> int:
        if self._limits_processes:
            return 0
        try:
            return (self._memory / self._threads).read_bytes().count(b"\n")
        except OSError:  # nobody is in it any more
            return 0

    def let_others_first(self, pid: int, yes: bool) -> bool:
        folder = self._folders.get("cpu")
        if folder is None:
            return super().let_others_first(pid, yes)
        try:
            _write(folder / "cpu.idle", int(yes))
        except OSError:  # before Linux 5.15
            return weigh(folder, 1 if yes else RUN_WEIGHT)
        return yes or weigh(folder, RUN_WEIGHT)  # which being idle had taken away

    def kill(self) -> None:
        kill_folder(self._memory)

    def remove(self) -> None:
        for folder in dict.fromkeys(self._folders.values()):
            remove_folder(folder)


class CgroupV1(Cgroup):
    """A group of the first version: one hierarchy per controller."""

    means = "cgroup-v1"

    def __init__(self, folders: dict[str, Path]) -> None:
        super().__init__(folders)
        self._event: int | None = None

    def usage(self) -> int:
        return _number(self._memory / "memory.usage_in_bytes") + self._sockets()

    def unreclaimable(self) -> int:
        stat = self._memory / "memory.stat"
        return _field(stat, "total_rss") + _field(stat, "total_shmem") + self._sockets()

    def _sockets(self) -> int:
        """What waits at sockets, which this version counts apart, and only where it is limited."""
        return _number(self._memory / "memory.kmem.tcp.usage_in_bytes")

    def peak(self) -> int:
        return _number(self._memory / "memory.max_usage_in_bytes")

    def oom_kills(self) -> int:
        return _field(self._memory / "memory.oom_control", "oom_kill")

    def set_limit(self, limit: int) -> None:
        plain, swap = "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"
        text = str(limit)
        # The limit with swap must never be below the one without: raise it first, lower it last.
        for name in (swap, plain, swap):
            try:
                (self._memory / name).write_text(text)
            except OSError:
                if name == plain:
                    raise
        with contextlib.suppress(OSError):
            _write(self._memory / "memory.kmem.tcp.limit_in_bytes", limit)

    def watch(self) -> int | None:
        if self._event is None:
            event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            try:
                control = os.open(self._memory / "memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
                try:
                    (self._memory / "cgroup.event_control").write_text(f"{event} {control}")
                finally:
                    os.close(control)
            except OSError:
                os.close(event)
                return None
            self._event = event
        return self._event

    def remove(self) -> None:
        if self._event is not None:
            os.close(self._event)
            self._event = None
        super().remove()


class CgroupV2(Cgroup):
    """A group of the second version: one folder for all controllers."""

    means = "cgroup-v2"
    _threads = "cgroup.threads"

    def __init__(self, folders: dict[str, Path]) -> None:
        super().__init__(folders)
        self._most = 0  # bytes, of all looks

    def usage(self) -> int:
        used = _number(self._memory / "memory.current")
        self._most = max(self._most, used)
        return used

    def unreclaimable(self) -> int:
        stat = self._memory / "memory.stat"
        return _field(stat, "anon") + _field(stat, "shmem")

    def peak(self) -> int:
        known = _number(self._memory / "memory.peak")
        if known:
            return known
        # Before Linux 5.19: the limit, where the kernel says it was reached, or what was seen.
        self.usage()
        reached = _field(self._memory / "memory.events", "oom") > 0
        return max(self._most, _number(self._memory / "memory.max") if reached else 0)

    def oom_kills(self) -> int:
        return _field(self._memory / "memory.events", "oom_kill")

    def set_limit(self, limit: int) -> None:
        (self._memory / "memory.max").write_text(str(limit))
        for name, text in (("memory.swap.max", "0"), ("memory.oom.group", "1")):
            with contextlib.suppress(OSError):  # no swap accounting, or before Linux 4.19
                (self._memory / name).write_text(text)

    def kill(self) -> None:
        with contextlib.suppress(OSError):  # before Linux 5.14: one by one, below
            (self._memory / "cgroup.kill").write_text("1")
        super().kill()


def weigh(folder: Path, percent: int) -> bool:
    """Set the CPU weight of a group; 100 is that of one usual process beside it."""
    for name, value in (("cpu.weight", percent), ("cpu.shares", percent * 1024 // 100)):
        with contextlib.suppress(OSError):
            _write(folder / name, value)
            return True
    return False


def _write(path: Path, value: int) -> None:
    """Unlike `write_text` this makes no file where the kernel has none."""
    file = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    try:
        os.write(file, str(value).encode())
    finally:
        os.close(file)


def _number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def _field(path: Path, name: str) -> int:
    try:
        for line in path.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    except (OSError, ValueError):
        pass
    return 0


def kill_folder(folder: Path) -> None:
    """SIGKILL every process in a group; returns when none is left."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            pids = [int(line) for line in (folder / "cgroup.procs").read_text().split()]
        except OSError:
            return
        if not pids:
            return
        processes.kill_family([pid for pid in pids if pid], 0.05)
        time.sleep(0.001)


def remove_folder(folder: Path) -> None:
    """Give a group back. What cannot be removed now is left to the next start's sweep."""
    end = time.monotonic() + 2
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > end:
                return  # the sweep at the next start takes it
            time.sleep(0.002)
        else:
            return


def remove_by_name(name: str) -> None:
    """End and remove a group that another process made (`Group.name`)."""
    for folder in map(Path, name.split(":")):
        if folder.name.startswith(PREFIX) and folder.is_dir():
            kill_folder(folder)
            remove_folder(folder)

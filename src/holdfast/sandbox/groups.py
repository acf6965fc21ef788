"""Resource groups: what holds one run's processes together, limits and counts them.

`Cgroup` variants are the kernel's; `Sampling` is the measured fallback without either, for
which the shim reads the memory of the run's processes and kills above the limit.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod

from holdfast.sandbox import courtesy, processes, sockets

#: A new process is noticed after this time at most, seconds. Each look costs processor time.
_WALK_SECONDS = 0.04
#: What is held for sockets is looked at this often: a network brings so much more slowly ...
_SOCKETS_SECONDS = 0.2
#: ... or so many times more seldom than a look takes, where the machine has very many sockets.
_SOCKETS_PAUSE = 50


class Group(ABC):
    """Limits and counters of one run's processes. Byte counts everywhere."""

    means = "none"

    @abstractmethod
    def join(self) -> None:
        """Called in a new process, before it does anything else."""

    @property
    def weighs_cpu(self) -> bool:
        """Whether the group shares the processors fairly with what is outside of it."""
        return False

    @abstractmethod
    def usage(self) -> int:
        """Memory in use now."""

    def unreclaimable(self) -> int:
        """Memory in use that the kernel cannot take back by dropping cached files."""
        return self.usage()

    @abstractmethod
    def peak(self) -> int:
        """The most memory that was in use."""

    @abstractmethod
    def oom_kills(self) -> int:
        """Processes of the group that the kernel killed for memory."""

    @abstractmethod
    def set_limit(self, limit: int) -> None:
        """Change the memory limit."""

    @abstractmethod
    def kill(self) -> None:
        """End every process in the group; returns when none is left."""

    @abstractmethod
    def remove(self) -> None:
        """Give the group back to the kernel. It must be empty."""

    def watch(self) -> int | None:
        """A descriptor that becomes readable when the kernel kills for memory, if there is one."""
        return None

    def take(self, pid: int) -> None:
        """Move a process into the group from outside, before it does anything of its run."""
        self.add(pid)

    def add(self, pid: int) -> None:
        """Tell the group of a process that joined it."""
        return  # the kernel keeps this list itself; only the fallback has to

    def limit_processes(self, count: int) -> bool:
        """Limit the number of tasks, threads too; False where this means cannot."""
        return False

    def threads(self, most: int) -> int:
        """Threads of all its processes; 0 where somebody else limits their number.

        Exact where there are more than `most`: then it decides.
        """
        return 0

    def let_others_first(self, pid: int, yes: bool) -> bool:
        """Give every other process precedence over this run on the processors, or end that.

        `pid`: its engine. False where this host does not allow it.
        """
        return courtesy.let_go_first(pid, yes)

    @property
    def name(self) -> str | None:
        """What a successor needs to find the group again; None if there is nothing to find."""
        return None


class Sampling(Group):
    """No group at all: the processes that joined are watched and counted by reading /proc."""

    means = "sampling"

    def __init__(self) -> None:
        self._joined: dict[int, int | None] = {}  # process id -> when it started
        self._family: list[int] = []
        self._walked = 0.0  # monotonic seconds
        self._limit = 0
        self._peak = 0
        self._look_again = 0.0  # at sockets and swap, monotonic seconds
        self._sockets = 0  # bytes that the kernel keeps for them
        self._swapping = False

    def join(self) -> None:
        pass

    def add(self, pid: int) -> None:
        self._joined[pid] = processes.start_time(pid)
        self._walked = 0.0

    def usage(self) -> int:
        if time.monotonic() - self._walked > _WALK_SECONDS:
            self._walk()
        if time.monotonic() >= self._look_again:
            self._look_at_sockets()
        # what is swapped of shared memory, the cheap look does not see
        look = _exact if self._swapping else processes.resident_bytes
        used = sum(map(look, self._family)) + self._sockets
        if used > self._limit:
            # What several of them share was counted for each, and one may be a stranger by now.
            # Being exact costs walks through page tables, so only where it decides.
            self._walk()
            used = sum(map(_exact, self._family))
            if used <= self._limit < used + self._sockets:
                self._look_at_sockets()
            used += self._sockets
        self._peak = max(self._peak, used)
        return used

    def threads(self, most: int) -> int:
        found = sum(map(processes.threads, self._family))
        if found > most:  # one of them may be a stranger by now
            self._walk()
            found = sum(map(processes.threads, self._family))
        return found

    def peak(self) -> int:
        return self._peak

    def oom_kills(self) -> int:
        return 0

    def set_limit(self, limit: int) -> None:
        self._limit = limit

    def kill(self) -> None:
        processes.kill_family(self._roots())

    def remove(self) -> None:
        pass

    def _walk(self) -> None:
        self._family = processes.family(self._roots())
        self._walked = time.monotonic()

    def _look_at_sockets(self) -> None:
        begun = time.monotonic()
        self._sockets = sockets.held_bytes(self._family)
        self._swapping = processes.swap_in_use()
        now = time.monotonic()
        self._look_again = now + max(_SOCKETS_SECONDS, (now - begun) * _SOCKETS_PAUSE)

    def _roots(self) -> list[int]:
        """Who joined and is still there: the number of one that is gone may be a stranger's."""
        return [pid for pid, began in self._joined.items() if processes.is_alive(pid, began)]


def _exact(pid: int) -> int:
    return processes.proportional_bytes(pid) or processes.resident_bytes(pid)

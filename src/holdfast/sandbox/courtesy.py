"""Lowering the priority of a run where no control group weighs it against other processes.

An ordinary user can lower a priority but not raise it again. The weight of a session
(`/proc/PID/autogroup`) is the exception, so we use that. We also make all threads of the run
`SCHED_IDLE`. Within its own session this does not slow the run down, and the kernel then places
other processes on the processors that the run uses.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_ENABLED = Path("/proc/sys/kernel/sched_autogroup_enabled")
#: Niceness of a session that lets others go first, and of any other.
_LAST, _USUAL = 19, 0
#: Niceness of what has time: about a tenth of a processor that others want as a whole.
_BACK = 10
#: Inode of the first namespace of control groups (`PROC_CGROUP_INIT_INO`). From within another
#: one nobody can say whether "/" is the root.
_FIRST_NAMESPACE = 0xEFFFFFFB


def let_go_first(pid: int, yes: bool) -> bool:
    """Give every other process precedence over the session of `pid`; `yes=False` ends that.

    False if it did not work: this kernel does not weigh sessions, or another process has just
    changed one (all ordinary users together may do that ten times a second).
    """
    try:
        if not _session_counts(pid):
            return False
        Path(f"/proc/{pid}/autogroup").write_text(str(_LAST if yes else _USUAL))
        if yes:
            for task in Path(f"/proc/{pid}/task").iterdir():
                with suppress(ProcessLookupError):
                    os.sched_setscheduler(int(task.name), os.SCHED_IDLE, os.sched_param(0))
    except (OSError, ValueError):
        return False
    return True


def stand_back() -> None:
    """Let other processes go before this one, which has time: a backup, for instance."""
    with suppress(OSError):
        os.nice(_BACK)
        if os.getsid(0) == os.getpid():  # begun by a timer: nobody else is in the session
            Path("/proc/self/autogroup").write_text(str(_BACK))


def _session_counts(pid: int) -> bool:
    """Whether the kernel weighs sessions: only among tasks of the root group of `cpu`."""
    if _ENABLED.read_text().strip() != "1" or os.getsid(pid) == os.getsid(0):
        return False
    if Path("/proc/self/ns/cgroup").stat().st_ino != _FIRST_NAMESPACE:
        return False
    rows = [row.split(":", 2) for row in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    first = [path for _, controllers, path in rows if "cpu" in controllers.split(",")]
    second = [path for number, _, path in rows if number == "0"]
    return (first or second) == ["/"]

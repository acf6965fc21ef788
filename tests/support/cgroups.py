"""Looking at control groups from outside."""

from __future__ import annotations

import os
from pathlib import Path


def session_counts(pid: int) -> bool:
    """Whether this kernel weighs the session of a process: only outside of groups of `cpu`.

    Within a namespace of groups nobody can say what is outside.
    """
    switch = Path("/proc/sys/kernel/sched_autogroup_enabled")
    first = Path("/proc/self/ns/cgroup").stat().st_ino == 0xEFFFFFFB
    if not first or not switch.exists() or switch.read_text() != "1\n":
        return False
    rows = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    groups = {row.split(":")[1]: row.split(":")[2] for row in rows}
    return groups.get("cpu", groups.get("")) == "/"


def folders(name: str) -> list[Path]:
    """Of the group with this name, in all hierarchies. Others come and go meanwhile."""
    walk = os.walk("/sys/fs/cgroup")
    return [Path(folder, name) for folder, names, _ in walk if name in names]

"""Finding the best means for limits that this host grants to this user."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from holdfast.sandbox import processes
from holdfast.sandbox.cgroups import HOME, CgroupV1, CgroupV2, kill_folder, remove_folder
from holdfast.sandbox.groups import Group, Sampling

_MOUNTS = Path("/proc/self/mountinfo")
_OWN = Path("/proc/self/cgroup")
#: CPU weight of all runs together; 100 is that of any one process beside them. Enough that runs
#: are not starved by a busy machine, and the agent still gets its turn when they are busy.
_CPU_WEIGHT = 800


class Groups:
    """Makes groups with the best means this host grants to this user.

    Look once per process tree (in the supervisor, before the first fork): moving our own
    process, which cgroup v2 needs, must not happen twice.
    """

    def __init__(self, forced: str | None = None) -> None:
        """`forced` takes one of the means even if a better one is there (tests, `--limits`)."""
        self.missing: dict[str, str] = {}
        self._homes: dict[str, Path] = {}
        self.means = "sampling"
        for means, find in (("cgroup-v2", self._find_v2), ("cgroup-v1", self._find_v1)):
            if forced not in (None, means):
                continue
            try:
                self._homes = find()
            except OSError as error:
                self.missing[means] = str(error)
            else:
                self.means = means
                return

    def create(self, name: str, limit: int) -> Group:
        """A new empty group. OSError if the kernel refuses."""
        if self.means == "sampling":
            return Sampling()
        folders = {key: home / name for key, home in self._homes.items()}
        for folder in dict.fromkeys(folders.values()):
            folder.mkdir()
        group = (CgroupV1 if self.means == "cgroup-v1" else CgroupV2)(folders)
        group.set_limit(limit)
        return group

    def sweep(self) -> int:
        """Remove groups whose makers are gone (their pid ends the name); returns how many."""
        removed = 0
        for home in dict.fromkeys(self._homes.values()):
            for folder in home.iterdir():
                maker = folder.name.rpartition("-")[2]
                if (
                    folder.is_dir()
                    and maker.isdigit()
                    and processes.start_time(int(maker)) is None
                ):
                    kill_folder(folder)
                    remove_folder(folder)
                    removed += 1
        return removed

    def _find_v1(self) -> dict[str, Path]:
        homes: dict[str, Path] = {}
        for controller in ("memory", "pids", "cpu"):
            try:
                homes[controller] = self._home_v1(controller)
            except OSError:
                if controller == "memory":
                    raise
        return homes

    def _home_v1(self, controller: str) -> Path:
        own = _own_group(controller)
        root = _mount_of("cgroup", controller)
        if own is None or root is None:
            message = f"no {controller} controller of version 1 is mounted"
            raise OSError(message)
        folder = root[0] / _below(own, root[1])
        if not os.access(folder, os.W_OK):
            message = f"the {controller} group of this process is not ours to divide: {folder}"
            raise PermissionError(message)
        home = folder / HOME
        home.mkdir(exist_ok=True)
        if controller == "cpu":
            (home / "cpu.shares").write_text(str(_CPU_WEIGHT * 1024 // 100))
        return home

    def _find_v2(self) -> dict[str, Path]:
        own = _own_group("")
        root = _mount_of("cgroup2", "")
        if own is None or root is None:
            message = "version 2 is not mounted"
            raise OSError(message)
        folder = root[0] / _below(own, root[1])
        if "memory" not in (folder / "cgroup.controllers").read_text().split():
            message = "its memory controller is not given to us"
            raise OSError(message)
        if not os.access(folder / "cgroup.subtree_control", os.W_OK):
            message = f"the group of this process is not ours to divide: {folder}"
            raise PermissionError(message)
        home = folder / HOME
        home.mkdir(exist_ok=True)
        _delegate(folder)
        _delegate(home)
        with suppress(OSError):  # no cpu controller was given to us
            (home / "cpu.weight").write_text(str(_CPU_WEIGHT))
        return dict.fromkeys(("memory", "pids", "cpu"), home)


def _delegate(folder: Path) -> None:
    """Hand the controllers on to sub-groups; a group that does so may hold no processes."""
    leaf = folder / "holdfast-own"
    # The root of all groups, which has no type, may do both; and kernel threads cannot be moved.
    if folder.name != HOME and (folder / "cgroup.type").exists():
        for pid in (folder / "cgroup.procs").read_text().split():
            leaf.mkdir(exist_ok=True)
            try:
                (leaf / "cgroup.procs").write_text(pid)
            except ProcessLookupError:
                continue
    for controller in ("memory", "pids", "cpu"):
        try:
            (folder / "cgroup.subtree_control").write_text(f"+{controller}")
        except OSError:
            if controller == "memory":
                raise


def _own_group(controller: str) -> str | None:
    try:
        lines = _OWN.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path
    return None


def _mount_of(kind: str, controller: str) -> tuple[Path, str] | None:
    """Where a hierarchy is mounted, and which part of it the mount shows."""
    try:
        lines = _MOUNTS.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        front, _, back = line.partition(" - ")
        fields, rest = front.split(), back.split()
        if rest and rest[0] == kind and (not controller or controller in rest[2].split(",")):
            return Path(fields[4]), fields[3]
    return None


def _below(own: str, shown: str) -> str:
    """A group's path relative to what a mount shows of its hierarchy."""
    return own.removeprefix(shown).lstrip("/") if shown != "/" else own.lstrip("/")

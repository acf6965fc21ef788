"""Finding the best means for limits that this host grants to this user."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from holdfast.sandbox import processes
from holdfast.sandbox.cgroups import (
    PREFIX,
    RUN_WEIGHT,
    CgroupV1,
    CgroupV2,
    group_name,
    kill_folder,
    remove_folder,
    weigh,
)
from holdfast.sandbox.groups import Group, Sampling

_MOUNTS = Path("/proc/self/mountinfo")
_OWN = Path("/proc/self/cgroup")
#: The group of supervisor, shims and agent, which do little and on which every run waits.
_LEAF, _LEAF_WEIGHT = f"{PREFIX}own", 6400

#: A group of another process namespace without a process for so long is left over.
_FORGOTTEN_SECONDS = 3600.0


class Groups:
    """Makes groups with the best means this host grants to this user.

    Look once per process tree, in the supervisor and before its first fork: this process moves
    into a group of our own, and only what it forks later is there too.
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
            sampling = Sampling()
            sampling.set_limit(limit)
            return sampling
        folders = {key: home / group_name(name) for key, home in self._homes.items()}
        for folder in dict.fromkeys(folders.values()):
            folder.mkdir()
        group = (CgroupV1 if self.means == "cgroup-v1" else CgroupV2)(folders)
        group.set_limit(limit)
        if group.weighs_cpu:
            weigh(folders["cpu"], RUN_WEIGHT)
        return group

    def sweep(self) -> int:
        """Remove groups whose makers are gone (their pid ends the name); returns how many.

        In another process namespace the same pid is somebody else. Of one that may have ended
        only what has long been empty is removed, and nothing is killed.
        """
        removed, ours = 0, group_name("")
        for home in dict.fromkeys(self._homes.values()):
            for folder in home.glob(f"{PREFIX}*-*"):
                maker = folder.name.rpartition("-")[2]
                if not maker.isdigit():
                    continue
                if not folder.name.startswith(ours):
                    removed += _remove_if_forgotten(folder)
                elif processes.start_time(int(maker)) is None:
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
        if controller == "cpu":
            weigh(_move(folder, [os.getpid()]), _LEAF_WEIGHT)
        return folder

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
        # A group that hands controllers on may hold no processes. The root of all groups, which
        # has no type, may do both; and kernel threads, which are in it, cannot be moved.
        whole = (folder / "cgroup.type").exists()
        pids = map(int, (folder / "cgroup.procs").read_text().split())
        leaf = _move(folder, pids if whole else [os.getpid()])
        homes = dict.fromkeys(_delegate(folder), folder)
        weigh(leaf, _LEAF_WEIGHT)
        return homes


def _remove_if_forgotten(folder: Path) -> bool:
    """Remove an old group; the kernel refuses where a process is in it."""
    try:
        if time.time() - folder.stat().st_mtime < _FORGOTTEN_SECONDS:
            return False  # its maker may be about to put a process into it
        folder.rmdir()
    except OSError:
        return False
    return True


def _move(folder: Path, pids: Iterable[int]) -> Path:
    """Move processes into our own leaf of a group; what they fork later is born there."""
    leaf = folder / _LEAF
    leaf.mkdir(exist_ok=True)
    for pid in pids:
        with suppress(ProcessLookupError):
            (leaf / "cgroup.procs").write_text(str(pid))
    return leaf


def _delegate(folder: Path) -> Iterator[str]:
    """Hand the controllers on to sub-groups, as far as they are given to us."""
    for controller in ("memory", "pids", "cpu"):
        try:
            (folder / "cgroup.subtree_control").write_text(f"+{controller}")
        except OSError:
            if controller == "memory":
                raise
        else:
            yield controller


def _own_group(controller: str) -> str | None:
    try:
        lines = _OWN.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path.removesuffix(f"/{_LEAF}") or "/"  # an engine started by one of ours
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

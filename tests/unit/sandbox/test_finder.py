"""Finding and dividing a group of version 2, in a folder that looks like its file system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.sandbox import finder
from holdfast.sandbox.cgroups import RUN_WEIGHT, group_name
from holdfast.sandbox.finder import Groups


class Tree:
    """A mounted hierarchy in which this process has the group `unit`."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.own = folder / "hierarchy" / "unit"
        self.run = self.own / group_name("run-1")
        self.leaf = self.own / "holdfast-own"
        self.leaf.mkdir(parents=True)
        (self.leaf / "cpu.weight").write_text("100")
        (self.own / "cgroup.type").write_text("domain\n")
        (self.own / "cgroup.controllers").write_text("cpu memory pids\n")
        (self.own / "cgroup.subtree_control").write_text("")
        (self.own / "cgroup.procs").write_text(f"{os.getpid()}\n")
        mounts, group = folder / "mountinfo", folder / "cgroup"
        mounts.write_text(
            f"1 0 0:1 / {folder / 'hierarchy'} rw,nosuid - cgroup2 cgroup2 rw\n"
            "2 0 0:2 / /elsewhere rw - tmpfs tmpfs rw\n"
        )
        group.write_text("0::/unit\n")
        monkeypatch.setattr(finder, "_MOUNTS", mounts)
        monkeypatch.setattr(finder, "_OWN", group)


def test_a_delegated_group_is_divided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = Tree(tmp_path, monkeypatch)
    groups = Groups()
    assert groups.means == "cgroup-v2"
    # A group that hands controllers on may hold no processes: ours has moved into a leaf.
    assert (tree.leaf / "cgroup.procs").read_text() == str(os.getpid())
    assert (tree.own / "cgroup.subtree_control").read_text().startswith("+")
    assert int((tree.leaf / "cpu.weight").read_text()) > RUN_WEIGHT


def test_a_run_gets_a_group_with_hard_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = Tree(tmp_path, monkeypatch)
    group = Groups().create("run-1", 64 << 20)
    assert group.limit_processes(20)
    files = ("memory.max", "memory.swap.max", "memory.oom.group", "pids.max")
    found = [(tree.run / name).read_text() for name in files]
    assert found == [str(64 << 20), "0", "1", "20"]
    assert group.weighs_cpu
    group.join()
    assert (tree.run / "cgroup.procs").read_text() == "0"


def test_an_engine_below_another_divides_the_same_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = Tree(tmp_path, monkeypatch)
    Groups()
    (tmp_path / "cgroup").write_text("0::/unit/holdfast-own\n")
    assert Groups().means == "cgroup-v2"
    assert [item.name for item in tree.leaf.iterdir() if item.is_dir()] == []


def test_a_run_lets_others_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = Tree(tmp_path, monkeypatch)
    group = Groups().create("run-1", 64 << 20)
    idle, weight = (tree.run / name for name in ("cpu.idle", "cpu.weight"))
    assert not group.let_others_first(os.getpid(), True)
    weight.write_text("100")  # before Linux 5.15
    assert group.let_others_first(os.getpid(), True)
    assert weight.read_text() == "1"
    assert group.let_others_first(os.getpid(), False)
    assert weight.read_text() == str(RUN_WEIGHT)
    idle.write_text("0")
    assert group.let_others_first(os.getpid(), True)
    assert idle.read_text() == "1"
    weight.write_text("100")  # so does the kernel when a group stops being idle
    assert group.let_others_first(os.getpid(), False)
    assert [idle.read_text(), weight.read_text()] == ["0", str(RUN_WEIGHT)]


def test_the_root_of_all_groups_keeps_its_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Kernel threads are among them, and they cannot be moved. Only this process is.
    tree = Tree(tmp_path, monkeypatch)
    (tree.own / "cgroup.type").unlink()
    (tree.own / "cgroup.procs").write_text(f"1\n{os.getpid()}\n")
    assert Groups().means == "cgroup-v2"
    assert (tree.leaf / "cgroup.procs").read_text() == str(os.getpid())


def test_a_kernel_that_keeps_no_peak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Before Linux 5.19.
    tree = Tree(tmp_path, monkeypatch)
    group = Groups().create("run-1", 64 << 20)
    current, events = (tree.run / name for name in ("memory.current", "memory.events"))
    for used in (5 << 20, 9 << 20, 1 << 20):
        current.write_text(str(used))
        group.usage()
    assert group.peak() == 9 << 20
    events.write_text("low 0\nmax 7\noom 1\noom_kill 1\n")
    assert group.peak() == 64 << 20
    (tree.run / "memory.peak").write_text(str(63 << 20))
    assert group.peak() == 63 << 20


def test_without_the_memory_controller_it_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = Tree(tmp_path, monkeypatch)
    (tree.own / "cgroup.controllers").write_text("cpu pids\n")
    groups = Groups("cgroup-v2")
    assert groups.means == "sampling"
    assert groups.missing == {"cgroup-v2": "its memory controller is not given to us"}


def test_groups_of_makers_that_are_gone_are_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = Tree(tmp_path, monkeypatch)
    groups = Groups()
    gone = tree.own / group_name("run-999999999")
    alive = tree.own / group_name(f"run-{os.getpid()}")
    # its maker lives in another process namespace, where nobody here can see it
    elsewhere = tree.own / "holdfast-4026500000-run-999999999"
    elsewhere.mkdir()
    stranger = tree.own / "session-999999999"
    stranger.mkdir()
    forgotten = tree.own / "holdfast-run-999999999"
    for folder in (gone, alive, forgotten):
        folder.mkdir()
    os.utime(forgotten, (0, 0))
    assert groups.sweep() == 2
    assert not forgotten.exists()
    assert not gone.exists()
    assert alive.exists()
    assert elsewhere.exists()
    assert stranger.exists()

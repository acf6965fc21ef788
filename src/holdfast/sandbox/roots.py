"""A file tree of its own for a run: only what it needs, read-only, and a small scratch.

Few path objects: this runs in a process just forked, where each object touched is a page copied.
"""
# ruff: noqa: PTH103, PTH114, PTH115, PTH116, PTH120, PTH211 - see above

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

from holdfast.sandbox import kernel
from holdfast.sandbox.spec import SCRATCH

_READ_ONLY, _NO_SETUID, _NO_DEVICES, _NO_EXECUTE = 1, 2, 4, 8
_BIND, _RECURSIVE, _PRIVATE = 4096, 16384, 1 << 18
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_ATTRIBUTE_READ_ONLY, _ATTRIBUTE_NO_SETUID = 1, 2
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
_INODES = 4096


def enter(new: str, visible: Iterable[str], scratch_bytes: int, user: int | None) -> None:
    """Make `new` (an empty folder) the root, showing `visible` and nothing else.

    To be called in namespaces of one's own for mounts and processes. OSError if refused.
    """
    kernel.mount("none", "/", None, _RECURSIVE | _PRIVATE)
    kernel.mount("tmpfs", new, "tmpfs", _NO_SETUID | _NO_DEVICES, "size=1m,mode=755")
    made: set[str] = set()
    for path in _outermost([*visible, *_DEVICES]):
        _show(new, path, made)
    for folder in ("/proc", SCRATCH):
        Path(new + folder).mkdir(parents=True, exist_ok=True)
    attributes = struct.pack("=QQQQ", _ATTRIBUTE_READ_ONLY | _ATTRIBUTE_NO_SETUID, 0, 0, 0)
    whole = os.fsencode(new) + b"\0"
    kernel.syscall("mount_setattr", _AT_FDCWD, whole, _AT_RECURSIVE, attributes, len(attributes))
    owner = "" if user is None else f",uid={user},gid={user}"
    closed = _NO_SETUID | _NO_DEVICES | _NO_EXECUTE
    options = f"size={scratch_bytes},nr_inodes={_INODES},mode=700{owner}"
    kernel.mount("tmpfs", new + SCRATCH, "tmpfs", closed, options)
    kernel.mount("proc", new + "/proc", "proc", closed | _READ_ONLY, "hidepid=2")
    kernel.change_root(new)


def _outermost(paths: Iterable[str]) -> list[str]:
    """Existing paths that are not below another of them."""
    kept: list[str] = []
    for path in sorted(set(paths)):
        inside = any(path == other or path.startswith(f"{other}/") for other in kept)
        if not inside and os.path.lexists(path):
            kept.append(path)
    return kept


def _show(new: str, path: str, made: set[str]) -> None:
    """`made`: folders of the new tree that are there already."""
    target = new + path
    parent = os.path.dirname(path)
    if parent not in made:
        os.makedirs(new + parent, exist_ok=True)
        made.add(parent)
    if parent == "/" and os.path.islink(path):
        os.symlink(os.readlink(path), target)  # /lib -> usr/lib: shown itself
        return
    try:
        folder = stat.S_ISDIR(os.stat(path).st_mode)
    except OSError:
        return  # it leads nowhere
    if folder:
        os.makedirs(target, exist_ok=True)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC))
    kernel.mount(path, target, None, _BIND | _RECURSIVE)

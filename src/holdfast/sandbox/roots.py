"""A file tree of its own for a run: only what it needs, read-only, and a small scratch.

Few path objects: this runs in a process just forked, where each object touched is a page copied.
"""
# ruff: noqa: PTH102, PTH103, PTH106, PTH114, PTH115, PTH116, PTH120, PTH211 - see above

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from holdfast.sandbox import kernel
from holdfast.sandbox.spec import SCRATCH

_READ_ONLY, _NO_SETUID, _NO_DEVICES, _NO_EXECUTE = 1, 2, 4, 8
_BIND, _RECURSIVE, _PRIVATE = 4096, 16384, 1 << 18
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_ATTRIBUTE_READ_ONLY, _ATTRIBUTE_NO_SETUID = 1, 2
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
_INODES = 4096
#: What a process is shown of itself. Not `net`, which is the machine's, nor anything writable.
OWN_FILES = ("stat", "status", "statm", "maps", "cmdline", "comm", "limits", "fd")
#: What it is shown of the machine: Node.js and libc look at these.
_MACHINE_FILES = (
    "meminfo", "cpuinfo", "stat", "uptime", "loadavg", "version", "sys/vm/overcommit_memory",
)  # fmt: skip
_PROC = "/.proc"


def enter(
    new: str,
    visible: Iterable[str],
    scratch_bytes: int,
    user: int | None,
    program: str | None,
    *,
    written: Mapping[str, bytes] = MappingProxyType({}),
    slots: tuple[str, ...] = (),
) -> None:
    """Make `new` (an empty folder) the root, showing `visible` and nothing else.

    `written`: files with contents of their own, which may take the place of visible ones.

    To be called as the first process in namespaces of one's own for mounts and processes, which
    is going to be `program`. `slots`: names of folders for children, each as large as the scratch,
    which itself is then read-only.
    OSError if refused.
    """
    kernel.mount("none", "/", None, _RECURSIVE | _PRIVATE)
    size = 1 + sum(map(len, written.values())) // (512 * 1024)
    kernel.mount("tmpfs", new, "tmpfs", _NO_SETUID | _NO_DEVICES, f"size={size}m,mode=755")
    made: set[str] = set()
    for path, content in written.items():
        os.makedirs(new + os.path.dirname(path), exist_ok=True)
        file = os.open(new + path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644)
        os.fchmod(file, 0o644)  # whatever our umask
        os.write(file, content)
        os.close(file)
    for path in _outermost([*visible, *_DEVICES]):
        if path not in written:
            _show(new, path, made)
    Path(new + SCRATCH).mkdir(parents=True, exist_ok=True)
    _show_processes(new, made, program)
    attributes = struct.pack("=QQQQ", _ATTRIBUTE_READ_ONLY | _ATTRIBUTE_NO_SETUID, 0, 0, 0)
    whole = os.fsencode(new) + b"\0"
    kernel.syscall("mount_setattr", _AT_FDCWD, whole, _AT_RECURSIVE, attributes, len(attributes))
    owner = "" if user is None else f",uid={user},gid={user}"
    closed = _NO_SETUID | _NO_DEVICES | _NO_EXECUTE
    options = f"size={scratch_bytes},nr_inodes={_INODES},mode=700{owner}"
    kernel.mount("tmpfs", new + SCRATCH, "tmpfs", closed, options)
    for slot in slots:
        folder = f"{new}{SCRATCH}/{slot}"
        os.mkdir(folder)
        kernel.mount("tmpfs", folder, "tmpfs", closed, options)
    if slots:
        scratch = os.fsencode(new + SCRATCH) + b"\0"
        kernel.syscall("mount_setattr", _AT_FDCWD, scratch, 0, attributes, len(attributes))
    kernel.change_root(new)


def _show_processes(new: str, made: set[str], program: str | None) -> None:
    """A /proc of single files. All of them could not be shown without what lies among them.

    A process's `net`, of which each of its threads has another, shows the network of the machine.
    """
    own = f"/proc/{os.getpid()}"
    hidden = new + _PROC
    os.mkdir(hidden)
    closed = _NO_SETUID | _NO_DEVICES | _NO_EXECUTE | _READ_ONLY
    kernel.mount("proc", hidden, "proc", closed, "hidepid=2")
    for name in (
        *(f"{own}/{name}" for name in OWN_FILES),
        *map("/proc/{}".format, _MACHINE_FILES),
    ):
        source = hidden + name.removeprefix("/proc")
        if os.path.lexists(source):
            _show(new, name, made, source)
    os.symlink(own.removeprefix("/proc/"), new + "/proc/self")
    if program is not None:
        os.symlink(program, f"{new}{own}/exe")
    kernel.unmount(hidden)
    os.rmdir(hidden)


def _outermost(paths: Iterable[str]) -> list[str]:
    """Existing paths that are not below another of them."""
    kept: list[str] = []
    for path in sorted(set(paths)):
        inside = any(path == other or path.startswith(f"{other}/") for other in kept)
        if not inside and os.path.lexists(path):
            kept.append(path)
    return kept


def _show(new: str, path: str, made: set[str], source: str | None = None) -> None:
    """`made`: folders of the new tree that are there already. `source`: what is shown there."""
    target = new + path
    parent = os.path.dirname(path)
    if parent not in made:
        os.makedirs(new + parent, exist_ok=True)
        made.add(parent)
    if parent == "/" and os.path.islink(path):
        os.symlink(os.readlink(path), target)  # /lib -> usr/lib: shown itself
        return
    try:
        folder = stat.S_ISDIR(os.stat(source or path).st_mode)
    except OSError:
        return  # it leads nowhere
    if folder:
        os.makedirs(target, exist_ok=True)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC))
    kernel.mount(source or path, target, None, _BIND | _RECURSIVE)

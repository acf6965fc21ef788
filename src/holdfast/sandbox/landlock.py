"""Landlock: which files this process may see from now on, whatever their permissions say."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from contextlib import suppress

from holdfast.sandbox import kernel

_EXECUTE, _WRITE, _READ, _READ_FOLDER = 1, 1 << 1, 1 << 2, 1 << 3
_REMOVE_FOLDER, _REMOVE_FILE = 1 << 4, 1 << 5
_MAKE_FOLDER, _MAKE_FILE = 1 << 7, 1 << 8
_REFER, _TRUNCATE, _IOCTL = 1 << 13, 1 << 14, 1 << 15
_FOR_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE | _IOCTL
_SEE = _READ | _READ_FOLDER
_CHANGE = (
    _SEE | _WRITE | _REMOVE_FOLDER | _REMOVE_FILE | _MAKE_FOLDER | _MAKE_FILE | _REFER | _TRUNCATE
)
#: Rights known to each version of the interface, by number of bits.
_KNOWN = {1: 13, 2: 14, 3: 15, 4: 15}
_SCOPES = 3  # abstract Unix sockets and signals stay inside (from version 6)
_PATH_BENEATH = 1
_VERSION = 1


def version() -> int:
    """Version of the kernel's interface, 0 when there is none."""
    try:
        return kernel.syscall("landlock_create_ruleset", None, 0, _VERSION)
    except OSError:
        return 0


def restrict(readable: Iterable[str], executable: Iterable[str], writable: Iterable[str]) -> None:
    """Leave only these trees. Cannot be undone. Paths that do not exist are left out.

    OSError when the kernel refuses; needs `no_new_privs` (or root).
    """
    known = version()
    handled = (1 << _KNOWN.get(known, 16)) - 1
    attributes = struct.pack("=QQQ", handled, 0, _SCOPES if known >= 6 else 0)
    size = 8 if known < 4 else 16 if known < 6 else 24
    rules = kernel.syscall("landlock_create_ruleset", attributes[:size], size, 0)
    try:
        for paths, rights in (
            (readable, _SEE),
            (executable, _SEE | _EXECUTE),
            (writable, _CHANGE),
        ):
            for path in paths:
                with suppress(FileNotFoundError):
                    _add(rules, path, rights & handled)
        kernel.syscall("landlock_restrict_self", rules, 0)
    finally:
        os.close(rules)


def _add(rules: int, path: str, rights: int) -> None:
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not os.path.isdir(path):  # noqa: PTH112 - a path object would cost more than the call
            rights &= _FOR_FILES
        rule = struct.pack("=Qi", rights, handle)
        kernel.syscall("landlock_add_rule", rules, _PATH_BENEATH, rule, 0)
    finally:
        os.close(handle)

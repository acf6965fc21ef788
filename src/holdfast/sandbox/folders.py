"""Measure and remove folders that untrusted code has filled.

Such a folder may be nested deeper than the longest path that the kernel accepts, so nothing here
recurses or builds a path. Standard library only.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from holdfast.sandbox import processes

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_HANDLE = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PRIVATE = 0o700
#: `usage` pauses after this many entries, and ways down or up.
_PAUSE = 256
#: An entry costs an inode too, so that many empty files count as well. Bytes.
_ENTRY = 1024
_BLOCK = 512
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


class MovedError(OSError):
    """A folder was moved, or closed, while it was looked through."""


@dataclass(frozen=True, slots=True)
class _Level:
    """A folder above the one that is looked through."""

    identity: tuple[int, int]
    left: list[str]  # names of folders in it that were not entered yet


def usage(folder: Path) -> Iterator[int]:
    """Disk space of all below `folder`, in bytes: sums so far, the last one is the whole.

    Whoever filled it may go on changing it. Raises MovedError when the way back up is not the
    way down, other OSErrors when a folder cannot be read.
    """
    here = _entered(os.fspath(folder), None)
    above: list[_Level] = []
    total, seen = 0, 0
    left: list[str] | None = None
    try:
        while left is None or left or above:
            seen += 1
            if seen % _PAUSE == 0:
                yield total
            if left is None:
                left = []
                with os.scandir(here) as entries:
                    for entry in entries:
                        total, seen = total + _size(entry), seen + 1
                        if entry.is_dir(follow_symlinks=False):
                            left.append(entry.name)
                        if seen % _PAUSE == 0:
                            yield total
            elif left:
                inner = _entered_if_there(left.pop(), here)
                if inner is not None:
                    above.append(_Level(_identity(here), left))
                    here, left = _instead(here, inner), None
            else:
                level = above.pop()
                here, left = _instead(here, _parent(here, level)), level.left
        yield total
    finally:
        os.close(here)


def nameless_usage(pid: int) -> int:
    """Disk space of files that a process holds open and that have no name any more, in bytes."""
    found: dict[tuple[int, int], int] = {}
    for path in processes.descriptors(pid):
        _note_nameless(path, found)
    return sum(found.values())


def maps_nameless(pid: int, folder: Path) -> bool:
    """Whether it maps a file of this folder that has no name any more.

    The file need not be open. How large it is, only root could find out.
    """
    below = re.escape(os.fsencode(os.path.realpath(folder)))
    pattern = rb" %b/[^\n]* \(deleted\)$" % below
    return re.search(pattern, processes.mappings(pid), re.MULTILINE) is not None


def _note_nameless(path: str, found: dict[tuple[int, int], int]) -> None:
    try:
        seen = os.stat(path)  # noqa: PTH116 - often
    except OSError:
        return  # closed meanwhile
    if stat.S_ISREG(seen.st_mode) and seen.st_nlink == 0:
        found[seen.st_dev, seen.st_ino] = seen.st_blocks * _BLOCK


def remove(folder: Path) -> None:
    """Remove a folder and all below it; nothing happens when it is not there. Raises OSError.

    Folders that lie deeper are moved up first, so that no way down is needed. Their modes do not
    matter to their owner.
    """
    try:
        top = _changeable(os.fspath(folder), None)
    except FileNotFoundError:
        return
    try:
        _clear(top)
    finally:
        os.close(top)
    os.rmdir(folder)  # noqa: PTH106 - as everywhere here


def clear(folder: Path) -> None:
    """Remove all below a folder and leave it. Raises OSError."""
    top = _changeable(os.fspath(folder), None)
    try:
        _clear(top)
    finally:
        os.close(top)


def _empty(name: str, top: int, free: Iterator[int]) -> None:
    """Remove the files of a folder of `top` and move its folders there."""
    inner = _changeable(name, top)
    try:
        while entries := _listed(inner):
            for below, is_folder in entries:
                if is_folder:
                    os.close(_changeable(below, inner))  # it is to get another parent
                    _lift(below, inner, top, free)
                else:
                    os.unlink(below, dir_fd=inner)
    finally:
        os.close(inner)


def _clear(top: int) -> None:
    free = count()
    while entries := _listed(top):
        for name, is_folder in entries:
            if is_folder:
                _empty(name, top, free)
                os.rmdir(name, dir_fd=top)
            else:
                os.unlink(name, dir_fd=top)


def _lift(name: str, source: int, top: int, free: Iterator[int]) -> None:
    """Move a folder to `top`, under a name that is not taken there."""
    while True:
        try:
            os.rename(name, f".{next(free)}", src_dir_fd=source, dst_dir_fd=top)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
        else:
            return


def _listed(folder: int) -> list[tuple[str, bool]]:
    with os.scandir(folder) as entries:
        return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]


def _entered(name: str, parent: int | None) -> int:
    """An open folder, also one that its owner has closed to himself."""
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except PermissionError:
        handle = os.open(name, _HANDLE, dir_fd=parent)
    try:
        own = f"/proc/self/fd/{handle}"  # not by name: a link may stand there by now
        os.chmod(own, _PRIVATE)  # noqa: PTH101
        return os.open(own, _FOLDER & ~os.O_NOFOLLOW)
    finally:
        os.close(handle)


def _entered_if_there(name: str, parent: int) -> int | None:
    try:
        return _entered(name, parent)
    except OSError as error:
        if error.errno in _GONE:
            return None
        raise


def _changeable(name: str, parent: int | None) -> int:
    """An open folder that may be written to."""
    handle = _entered(name, parent)
    os.fchmod(handle, _PRIVATE)
    return handle


def _parent(here: int, level: _Level) -> int:
    """The folder above, which is to be the one that we came from."""
    try:
        outer = _entered("..", here)
    except OSError as error:
        raise MovedError(error.errno, "a folder was closed") from error
    if _identity(outer) != level.identity:
        os.close(outer)
        raise MovedError(errno.ESTALE, "a folder was moved")
    return outer


def _instead(old: int, new: int) -> int:
    os.close(old)
    return new


def _identity(folder: int) -> tuple[int, int]:
    seen = os.fstat(folder)
    return seen.st_dev, seen.st_ino


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_blocks * _BLOCK + _ENTRY
    except OSError:
        return 0  # gone meanwhile

"""Files that survive a power cut: whole or not at all, and private unless said otherwise.

A file is safe when its bytes are synced, and its name is safe when its folder is synced, too.
Whoever renames a file into place does both, here and nowhere else. Standard library only.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PRIVATE = 0o600


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive. Raises OSError."""
    _sync(folder, os.O_DIRECTORY)


def sync_file(path: Path) -> None:
    """Make the bytes of a file survive. Raises OSError."""
    _sync(path)


def sync_tree(folder: Path) -> None:
    """Make all files and names below a folder survive. Raises OSError."""
    for path, _, files in os.walk(folder, topdown=False):
        for name in files:
            _sync(Path(path, name))
        sync_folder(Path(path))


def draft(path: Path, data: bytes, *, mode: int = PRIVATE) -> None:
    """Write a file in place. Bytes and name are the caller's: `sync_file`, `sync_folder`.

    Raises OSError; then the file holds a part of the data.
    """
    _fill(path, data, mode, sync=False)


def fill(path: Path, data: bytes, *, mode: int = PRIVATE) -> None:
    """As `draft`, and the bytes are synced."""
    _fill(path, data, mode, sync=True)


def _fill(path: Path, data: bytes, mode: int, *, sync: bool) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, PRIVATE)
    try:
        os.fchmod(file, mode)  # whatever the umask
        view = memoryview(data)
        while view:
            view = view[os.write(file, view) :]
        if sync:
            os.fsync(file)
    finally:
        os.close(file)


def write(path: Path, data: bytes, *, mode: int = PRIVATE) -> None:
    """Make or replace a file: after a power cut it is the old one or the new one, never a part.

    Raises OSError; then the old one is unchanged and nothing else is left.
    """
    made = _draft_of(path)
    try:
        fill(made, data, mode=mode)
        made.rename(path)
    except OSError:
        made.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def place(made: Path, target: Path) -> None:
    """Move a finished file of the same folder to its name, as `write` does. Raises OSError."""
    _sync(made)
    made.rename(target)
    sync_folder(target.parent)


def keep(path: Path, make: Callable[[], bytes]) -> bytes:
    """The content of a private file that is made once. Raises OSError.

    Of several processes that make it at the same time the first wins, and all get what it made.
    The folder is synced also when the file exists: the process that made it may have died before
    the sync. Data must never outlive the key that it was encrypted with.
    """
    if not path.exists():
        made = _draft_of(path)
        try:
            fill(made, make())
            with suppress(FileExistsError):  # a rename would put ours into the place of theirs
                os.link(made, path)
        finally:
            made.unlink(missing_ok=True)
    sync_folder(path.parent)
    return path.read_bytes()


def make_folder(path: Path) -> None:
    """Make a folder for this user only, with all folders above it, and sync their names.

    Raises OSError.
    """
    missing = [folder for folder in path.parents if not folder.exists()]
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in [path, *missing]:
        with suppress(PermissionError):  # not ours: its owner made our folder
            sync_folder(folder.parent)


def _draft_of(path: Path) -> Path:
    """Where a file is written before it has its name."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}")


def _sync(path: Path, flags: int = 0) -> None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        os.fsync(file)
    finally:
        os.close(file)

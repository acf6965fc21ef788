"""A folder of installed files: its digest, its fingerprint, read-only, and gone."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from holdfast.adaptors.errors import StoreError
from holdfast.sandbox import folders

_BLOCK = 1 << 20
#: Packages nest some twenty folders deep.
_DEEPEST = 200


@dataclass(frozen=True, slots=True)
class TreeDigest:
    """`sha256-<hex>` over names, kinds and contents of every file below a folder."""

    digest: str
    files: int
    size: int  # bytes


def entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Everything below a folder, each folder before its contents, in an order of its own.

    Raises StoreError at anything that is neither file nor folder (a link could lead outside), and
    at folders that nest deeper than any package's.
    """
    waiting = [_sorted(folder)]
    while waiting:
        item = next(waiting[-1], None)
        if item is None:
            waiting.pop()
        elif item.is_dir(follow_symlinks=False):
            if len(waiting) > _DEEPEST:
                message = f"{item.path} lies more than {_DEEPEST} folders deep"
                raise StoreError(message, fix="No package needs that.")
            yield item
            waiting.append(_sorted(Path(item.path)))
        elif item.is_file(follow_symlinks=False):
            yield item
        else:
            message = f"{item.path} is neither a file nor a folder"
            raise StoreError(message, fix="Packages must consist of plain files.")


def _sorted(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as found:
        return iter(sorted(found, key=lambda item: item.name))


def digest(folder: Path) -> TreeDigest:
    """Read every file below `folder` and hash it. Raises StoreError, OSError."""
    whole = hashlib.sha256()
    files = size = 0
    start = len(os.fsencode(folder)) + 1
    for item in entries(folder):
        if not item.is_file(follow_symlinks=False):
            continue
        with open(item.path, "rb", buffering=0) as file:  # noqa: PTH123 thousands: no Path each
            mode = os.fstat(file.fileno()).st_mode
            content = hashlib.sha256()
            while block := file.read(_BLOCK):
                content.update(block)
                size += len(block)
        executable = bool(mode & stat.S_IXUSR)
        whole.update(_line(os.fsencode(item.path)[start:], content.hexdigest(), executable))
        files += 1
    return TreeDigest(f"sha256-{whole.hexdigest()}", files, size)


def digest_of(files: Iterable[tuple[str, str, bool]]) -> str:
    """The digest a folder with these files has: path, SHA-256 of the content, executable.

    They must come in the order of `entries`.
    """
    whole = hashlib.sha256()
    for path, content, executable in files:
        whole.update(_line(os.fsencode(path), content, executable))
    return f"sha256-{whole.hexdigest()}"


def _line(path: bytes, content: str, executable: bool) -> bytes:
    return (b"x " if executable else b"- ") + content.encode() + b" " + path + b"\0"


def fingerprint(folder: Path) -> str:
    """A hash over what `stat` tells of every entry: changes when a file does, reads none.

    Raises StoreError, OSError.
    """
    whole = hashlib.sha256()
    for item in entries(folder):
        seen = item.stat(follow_symlinks=False)
        facts = (item.path, seen.st_mode, seen.st_size, seen.st_mtime_ns, seen.st_ino)
        whole.update(repr(facts).encode(errors="surrogateescape"))
    return whole.hexdigest()


def make_read_only(folder: Path) -> None:
    """Take everybody's right to write away from all below `folder` (and not from itself)."""
    folders = []
    for item in entries(folder):
        if item.is_dir(follow_symlinks=False):
            folders.append(item.path)
        else:
            executable = item.stat(follow_symlinks=False).st_mode & stat.S_IXUSR
            os.chmod(item.path, 0o555 if executable else 0o444)  # noqa: PTH101
    for path in reversed(folders):
        os.chmod(path, 0o555)  # noqa: PTH101, S103 runs of another user read it


def remove(folder: Path) -> None:
    """Delete a folder, read-only parts included. Nothing happens when it is not there."""
    if not folder.is_dir():
        folder.unlink(missing_ok=True)
        return
    folders.remove(folder)

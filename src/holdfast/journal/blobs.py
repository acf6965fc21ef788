"""Large documents of a run, named by their SHA-256, durable before a record names them."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from pathlib import Path
from typing import Self

from holdfast import faults
from holdfast.durable import sync_folder

_DIGEST = re.compile(r"[0-9a-f]{64}")


def blob_path(run_folder: Path, digest: str) -> Path:
    """Where the document with this SHA-256 lies. ValueError if it is not a digest."""
    if not _DIGEST.fullmatch(digest):
        message = f"not a SHA-256: {digest!r}"
        raise ValueError(message)
    return run_folder / "blobs" / digest


class BlobWriter:
    """Takes a document piece by piece; `finish` syncs it and gives it its name.

    A writer that is not finished leaves nothing behind.
    """

    def __init__(self, run_folder: Path) -> None:
        self._folder = run_folder / "blobs"
        self._new = not any(self._folder.glob("[0-9a-f]*"))  # its own name is not durable yet
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._temporary = self._folder / f".{secrets.token_hex(8)}.part"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._file = os.open(self._temporary, flags, 0o600)
        self._hash = hashlib.sha256()
        self.bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abandon()

    def write(self, data: bytes) -> None:
        """Add a piece. OSError if the disk has no room."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]
        self._hash.update(data)
        self.bytes += len(data)

    def finish(self) -> str:
        """Make the document durable under its digest, which is returned."""
        os.fdatasync(self._file)
        os.close(self._file)
        self._file = -1
        faults.point("journal.blob")
        digest = self._hash.hexdigest()
        self._temporary.rename(self._folder / digest)
        sync_folder(self._folder)
        if self._new:
            sync_folder(self._folder.parent)
        return digest

    def abandon(self) -> None:
        """Remove what was written, unless it was finished."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            self._temporary.unlink(missing_ok=True)

"""The folder of one run: its names, its making, its lock."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote

from holdfast.durable import sync_folder
from holdfast.journal.errors import JournalLocked

_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,100}")
_LOOK_SECONDS = 0.01


def folder_name(run_id: str) -> str:
    """A run id as a name that is safe in a path (the id comes from outside)."""
    if _PLAIN.fullmatch(run_id):
        return run_id
    name = quote(run_id, safe="").replace(".", "%2E") or "%"
    return name if len(name) <= 100 else "%" + hashlib.sha256(run_id.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Names of everything in a run's folder (`docs/journal.md`)."""

    path: Path

    @classmethod
    def create(cls, journals: Path, run_id: str) -> Self:
        """Make the folder, 0700 and durable. FileExistsError if the run is here already."""
        folder = cls.begin(journals, run_id)
        sync_folder(journals)
        return folder

    @classmethod
    def begin(cls, journals: Path, run_id: str) -> Self:
        """As `create`, but its name is durable only when the caller has synced `journals`."""
        path = journals / folder_name(run_id)
        path.mkdir(mode=0o700)
        return cls(path)

    @property
    def journal(self) -> Path:
        return self.path / "journal"

    @property
    def mark(self) -> Path:
        return self.path / "mark"

    @property
    def plan(self) -> Path:
        return self.path / "plan.json"

    @property
    def input(self) -> Path:
        return self.path / "input.json"

    @property
    def recorded(self) -> Path:
        """Is there where the project agreed that the run is kept whole, for replays."""
        return self.path / "recorded"

    @property
    def notes(self) -> Path:
        return self.path / "notes"

    @property
    def control_socket(self) -> Path:
        return self.path / "control.sock"

    @property
    def lock(self) -> Path:
        return self.path / "lock"


class RunLock:
    """Held by whoever owns something exclusively: a shim its run, an agent its data folder.

    The kernel lets go of it when the process dies. Raises JournalLocked if it is taken, and stays
    taken for `patience_seconds`: somebody who only looks (`is_locked`) holds it for a moment.
    """

    def __init__(self, path: Path, *, patience_seconds: float = 0.0) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._take(time.monotonic() + patience_seconds)
        except OSError as error:
            os.close(self._file)
            self._file = -1
            message = f"{path} is held by another process."
            fix = "Two workers must not share a data folder: end one, or give it a folder."
            raise JournalLocked(message, fix=fix) from error

    def _take(self, end: float) -> None:
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() >= end:
                    raise
                time.sleep(_LOOK_SECONDS)
            else:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def fileno(self) -> int:
        """The descriptor that holds the lock; a child that inherits it holds it too."""
        return self._file

    def release(self) -> None:
        """Let go of the lock."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def is_locked(path: Path) -> bool:
    """Whether somebody holds this lock now; others may look at the same time."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False

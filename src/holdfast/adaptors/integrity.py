"""Are an adaptor's files still those that were installed?

Reading and hashing a whole adaptor takes some tenths of a second, so it happens once per
process. After that the adaptor's most telling files are compared by `stat` at every use, and
all of them every so often.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from holdfast.adaptors import tree
from holdfast.adaptors.errors import StoreError
from holdfast.adaptors.record import METADATA, Record

#: Seconds between two comparisons of all files by `stat`.
SWEEP_SECONDS = 30.0


@dataclass(slots=True)
class _Seen:
    quick: tuple[object, ...]
    whole: str
    at: float


class Verifier:
    """Remembers which folders were found whole. Safe to call from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._seen: dict[Path, _Seen] = {}
        self._clock = clock
        self._guard = threading.Lock()

    def fresh(self, folder: Path, record: Record) -> bool:
        """Whether `folder` was verified lately and looks the same: microseconds, no reading."""
        seen = self._seen.get(folder)
        if seen is None or self._clock() - seen.at > SWEEP_SECONDS:
            return False
        return seen.quick == _quick(folder, record)

    def check(self, folder: Path, record: Record) -> bool:
        """Whether the files of `folder` are the installed ones. Blocks: call it in a thread."""
        with self._guard:
            if self.fresh(folder, record):
                return True
            try:
                quick = _quick(folder, record)
                whole = tree.fingerprint(folder)
                seen = self._seen.get(folder)
                if seen is None or seen.whole != whole:
                    found = tree.digest(folder / "node_modules")
                    if found.digest != record.digest:
                        self._seen.pop(folder, None)
                        return False
            except (OSError, StoreError):
                self._seen.pop(folder, None)
                return False
            self._seen[folder] = _Seen(quick, whole, self._clock())
            return True


def _quick(folder: Path, record: Record) -> tuple[object, ...]:
    package = folder / "node_modules" / record.name
    facts: list[object] = []
    for path in (folder / METADATA, package, package / "package.json", package / record.entry):
        try:
            seen = os.stat(path)  # noqa: PTH116 on every run's way
        except OSError:
            facts.append(None)
        else:
            facts.append((seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_mode))
    return tuple(facts)

"""Files whose changes a command waits for."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from holdfast.cli import terminal

#: Between two looks at the files. Seconds.
_LOOK_SECONDS = 0.02
#: Files beside a project or a workflow that are watched, and their kinds.
_MOST_FILES = 500
#: Names that are looked at for them.
_MOST_ENTRIES = 20_000
_KINDS = {".js", ".mjs", ".yaml", ".yml", ".json"}


@dataclass(frozen=True, slots=True)
class Watched:
    """These files, as they were when they were looked at."""

    files: tuple[Path, ...]
    seen: tuple[tuple[str, int, int], ...]

    @classmethod
    def look(cls, files: Iterable[Path]) -> Watched:
        """Remember them as they are now: before they are read."""
        files = tuple(files)
        return cls(files, _signature(files))

    async def saved(self) -> None:
        """Say what is watched, and wait until one of them differs."""
        names = ", ".join(path.name for path in self.files[:5])
        more = f" and {len(self.files) - 5} more" if len(self.files) > 5 else ""
        terminal.echo(f"watching {names}{more}; Ctrl-C ends it", err=True, dim=True)
        last = now = self.seen
        # nobody tells of a saved file; one that differs still may be half written
        while now == self.seen or now != last:
            await asyncio.sleep(_LOOK_SECONDS)
            last, now = now, _signature(self.files)


def _signature(files: Iterable[Path]) -> tuple[tuple[str, int, int], ...]:
    """What differs once a file was saved."""
    found = []
    for path in files:
        try:
            stat = path.stat()
        except OSError:
            continue  # an editor puts a new file in its place
        found.append((str(path), stat.st_mtime_ns, stat.st_size))
    return tuple(found)


def with_beside(file: Path) -> list[Path]:
    """A project or workflow file, then the code and data in its folder and those below.

    The nearest first, of at most so many: a project may lie in a folder with much else.
    """
    found, folders, looked = [file], deque([file.parent]), 0
    while folders and len(found) < _MOST_FILES and looked < _MOST_ENTRIES:
        for entry in _entries(folders.popleft()):
            looked += 1
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "node_modules" and not entry.name.startswith("."):
                    folders.append(path)
            elif path.suffix in _KINDS and path != file:
                found.append(path)
    return found[:_MOST_FILES]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Sorted by name; none where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(itertools.islice(entries, _MOST_ENTRIES), key=lambda item: item.name)
    except OSError:
        return []

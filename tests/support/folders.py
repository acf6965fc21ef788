"""Temporary folders with wishes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MEMORY = Path("/dev/shm")


@contextmanager
def in_memory() -> Iterator[Path]:
    """A folder that every user may enter, in memory where there is such: thousands of folders
    are gone from there at once."""
    place = _MEMORY if _MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="hf-", dir=place) as name:
        Path(name).chmod(0o755)
        yield Path(name)

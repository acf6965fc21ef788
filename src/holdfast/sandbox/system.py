"""What of this machine every program needs to see: its libraries and their loader."""

from __future__ import annotations

import stat
from functools import cache
from pathlib import Path

#: Libraries that programs of any distribution are linked with.
LIBRARIES = tuple(map(Path, ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")))
_LOADERS = ("/lib64/ld-linux*", "/lib/ld-linux*", "/lib/ld-musl*")


@cache
def loaders() -> tuple[Path, ...]:
    """The programs that load programs."""
    root = Path("/")
    return tuple(path for pattern in _LOADERS for path in root.glob(pattern[1:]))


def is_open_to_others(path: Path) -> bool:
    """Whether a user of a run's own may read this file, or enter this folder."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    needed = stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(mode) else 0)
    return mode & needed == needed

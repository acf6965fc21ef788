"""Whether the disk allows to begin anything."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

#: Below this much free disk no run is claimed.
MIN_FREE_BYTES = 256 * 1024 * 1024


def disk_problem(folder: Path) -> str | None:
    """Why nothing should be begun that must be written here; None if it may."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return f"the data folder cannot be used: {error.strerror}"
    if free < MIN_FREE_BYTES:
        return "the disk is nearly full"
    return None if os.access(folder, os.W_OK) else "the data folder cannot be written to"

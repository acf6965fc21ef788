"""Looking at control groups from outside."""

from __future__ import annotations

import os
from pathlib import Path


def folders(name: str) -> list[Path]:
    """Of the group with this name, in all hierarchies. Others come and go meanwhile."""
    walk = os.walk("/sys/fs/cgroup")
    return [Path(folder, name) for folder, names, _ in walk if name in names]

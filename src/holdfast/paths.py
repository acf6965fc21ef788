"""Paths that come from outside: made absolute once, where they enter. Standard library only.

A worker, its supervisor and its runs work in folders of their own, so a relative path would mean
another file in each of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

#: The variable that names the data folder, and the folder that is used without it.
DATA_VARIABLE = "HOLDFAST_DATA"
DEFAULT_DATA = "~/.holdfast"


def absolute(given: str | os.PathLike[str]) -> Path:
    """The path under a name that every process understands, whatever folder it works in.

    `~` is the home folder. A symbolic link is kept, because it may point elsewhere later. Only a
    path with `..` is resolved, because `link/..` is not the folder that holds the link.
    Raises ValueError for an empty path, and when the current folder is gone.
    """
    text = os.path.expanduser(given)  # noqa: PTH111 - Path.expanduser fails for a file named ~x
    if not text:
        message = "a path is empty"
        raise ValueError(message)
    try:
        path = Path.cwd() / text
    except FileNotFoundError:
        message = f"{text} is relative to the current folder, which was removed"
        raise ValueError(message) from None
    return Path(os.path.realpath(path)) if ".." in path.parts else path


def data_folder(environment: Mapping[str, str], given: Path | None = None) -> Path:
    """The data folder: `given`, else `HOLDFAST_DATA`, else `~/.holdfast`."""
    return absolute(given or environment.get(DATA_VARIABLE) or DEFAULT_DATA)

"""Where the adaptor store is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from holdfast.paths import absolute, data_folder


def default_store_root(env: Mapping[str, str], data: Path | None = None) -> Path:
    """`WORKER_REPO_DIR`, else `adaptors` in the data folder.

    The data folder is `data`, else `HOLDFAST_DATA`, else `~/.holdfast`.
    """
    named = env.get("WORKER_REPO_DIR")
    if named:
        return absolute(named)
    return data_folder(env, data) / "adaptors"

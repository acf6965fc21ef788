"""Where the adaptor store is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def default_store_root(env: Mapping[str, str], data: Path | None = None) -> Path:
    """`WORKER_REPO_DIR`, else `adaptors` in the data folder.

    The data folder is `data`, else `HOLDFAST_DATA`, else `~/.holdfast`.
    """
    named = env.get("WORKER_REPO_DIR")
    if named:
        return Path(named).expanduser()
    if data is None:
        data = Path(env.get("HOLDFAST_DATA") or "~/.holdfast")
    return data.expanduser() / "adaptors"
